"""Secrets, which the configuration only references and never contains.

``"env:NAME"`` is read from the environment once, when the configuration is loaded.
``"file:/path"`` is read at every ``reveal``, so that a rotated file takes effect after an
authentication failure.  The value is never shown, logged, serialised or pickled: people and
programs see only the reference.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Self

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from trailcourier.errors import ConfigError

MAX_BYTES = 65_536  # of a secret file; bounds the read if the path is a device

_EXPECTED = (
    'expected a reference to a secret, not the secret: use "env:NAME" or "file:/absolute/path"'
)


def check_reference(text: str) -> str:
    """Return *text* if it has the form of a reference; does not check that its target exists."""
    kind, _, name = text.partition(":")
    if kind not in {"env", "file"} or not name:
        raise ValueError(_EXPECTED)
    return text


class Secret:
    """A secret value, identified by its *reference*.

    In a config model write ``token: Secret``; validation takes the environment from its context
    (``context={"environ": ...}``), which ``settings.load`` passes.  Raises ValueError, which does
    not quote the given text, for a literal, an unset variable and an unreadable file.
    """

    __slots__ = ("_value", "reference")

    def __init__(self, reference: str, environ: Mapping[str, str] | None = None) -> None:
        kind, _, name = reference.partition(":")
        self.reference = check_reference(reference)
        self._value: str | None = None
        if kind == "env":
            self._value = _read_variable(name, environ or {})
        else:
            _read_file(name)  # report an unreadable file when the configuration is loaded

    @classmethod
    def public(cls, text: str) -> Self:
        """Return a Secret for *text* that is public, and therefore shown."""
        secret = cls.__new__(cls)
        secret.reference = text
        secret._value = text  # noqa: SLF001 - same class
        return secret

    def reveal(self) -> str:
        """Return the value; raises ConfigError if its file can no longer be read."""
        if self._value is not None:
            return self._value
        try:
            return _read_file(self.reference.removeprefix("file:"))
        except ValueError as error:
            raise ConfigError([f"{self.reference}: {error}"]) from error

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __str__(self) -> str:
        return self.reference

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self.reference, self._value) == (other.reference, other._value)

    def __hash__(self) -> int:
        return hash(self.reference)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled: load the configuration where it is needed")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate,
            json_schema_input_schema=core_schema.str_schema(pattern="^(env|file):."),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> "Secret":
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError(_EXPECTED)  # noqa: TRY004 - pydantic turns only ValueError into a problem
        return cls(value, (info.context or {}).get("environ"))


def _read_variable(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set")
    if not value:
        raise ValueError(f"the environment variable {name} is empty")
    return value


def _read_file(name: str) -> str:
    """Return the content of file *name*, without one final line break."""
    path = Path(name)
    if not path.is_absolute():
        raise ValueError("the path of a secret file must be absolute: file:/path")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValueError:  # a null byte in the name, or invalid UTF-8; both messages quote the bytes
        raise ValueError(f"{name!r} is not a file of UTF-8 text") from None
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"{path} is larger than {MAX_BYTES} bytes: name a file with only the secret"
        )
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text.removesuffix("\n").removesuffix("\r")
