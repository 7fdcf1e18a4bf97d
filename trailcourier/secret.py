"""A secret is named in the configuration, never written there.

``"env:NAME"`` is taken from the environment once, when the configuration is loaded;
``"file:/path"`` is read at every ``reveal``, so that a rotated file is seen after an
authentication failure.  Neither is ever shown, logged, serialised or pickled: what a person or a
program sees of a secret is its reference.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Self

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from trailcourier.errors import ConfigError

LARGEST = 65_536  # bytes; a secret is a line, not a device somebody pointed us at

_WANTED = 'a secret is named here, not written: use "env:NAME" or "file:/absolute/path"'


def named(text: str) -> str:
    """Return *text* if it has the form of a reference, whether or not what it names is here."""
    kind, _, name = text.partition(":")
    if kind not in {"env", "file"} or not name:
        raise ValueError(_WANTED)
    return text


class Secret:
    """A value that is known by its *reference*.

    In a config model write ``token: Secret``; validation takes the environment from its context
    (``context={"environ": ...}``), which ``settings.load`` gives.  Raises ValueError, without the
    text it was given, for a literal, an unset variable and an unreadable file.
    """

    __slots__ = ("_value", "reference")

    def __init__(self, reference: str, environ: Mapping[str, str] | None = None) -> None:
        kind, _, name = reference.partition(":")
        self.reference = named(reference)
        self._value: str | None = None
        if kind == "env":
            self._value = _variable(name, environ or {})
        else:
            _content(name)  # a file that cannot be read is a problem of loading

    @classmethod
    def public(cls, text: str) -> Self:
        """Stand in for *text* that is no secret, where a secret could have been: it is shown."""
        secret = cls.__new__(cls)
        secret.reference = text
        secret._value = text  # noqa: SLF001 - our own, made here
        return secret

    def reveal(self) -> str:
        """Return the value itself; raises ConfigError if its file cannot be read any more."""
        if self._value is not None:
            return self._value
        try:
            return _content(self.reference.removeprefix("file:"))
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
        raise TypeError("a secret is not pickled: load the configuration where it is used")

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
            raise ValueError(_WANTED)  # noqa: TRY004 - pydantic turns only ValueError into a problem
        return cls(value, (info.context or {}).get("environ"))


def _variable(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set")
    if not value:
        raise ValueError(f"the environment variable {name} is empty")
    return value


def _content(name: str) -> str:
    """Return what file *name* holds, less one line end."""
    path = Path(name)
    if not path.is_absolute():
        raise ValueError("a secret's file is named by its absolute path: file:/path")
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1).decode()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValueError:  # a null byte in the name, or bytes that are not text; both quote the bytes
        raise ValueError(f"{name!r} is not a file of UTF-8 text") from None
    if len(text) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST} bytes: that is no secret")
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text.removesuffix("\n").removesuffix("\r")
