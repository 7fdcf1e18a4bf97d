"""Lists the effective value of every key, and where each comes from; no secret is revealed."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from pydantic import BaseModel

from trailcourier.aws.network import with_scheme
from trailcourier.errors import ConfigError
from trailcourier.filters.rules import Condition, Rule
from trailcourier.ledger.broker import mask_password
from trailcourier.secret import Secret
from trailcourier.settings import environment, find, read_tree
from trailcourier.settings.environment import KeyPath, Variables
from trailcourier.settings.problems import key
from trailcourier.settings.shape import Configuration, Settings

SECRET_NAME = re.compile(r"(?i)(SECRET|TOKEN|PASSW|CREDENTIAL|KEY)(?!.*_FILE$)")
SHORTEST = 8  # characters of a secret that only its variable's name makes one
URLS_OF_PROXIES = ("https_proxy", "http_proxy")

OriginKind = Literal["default", "file", "variable"]


class EffectiveValue(msgspec.Struct, frozen=True):
    """The value of one key, and its origin."""

    key: Annotated[str, Meta(description="the key, such as `sources.prod.queue_url`")]
    value: Annotated[
        Any, Meta(description="its value; of a secret the reference, `env:NAME` or `file:/path`")
    ]
    origin: Annotated[OriginKind, Meta(description="`default`, `file` or `variable`")]
    set_by: Annotated[str, Meta(description="the file or the variable; empty for a default")]
    note: Annotated[
        str, Meta(description="of a secret: where it is read, and of a URL all but the password")
    ]
    path: Annotated[tuple[str, ...], Meta(description="the parts of the key")]


class Origins(msgspec.Struct, frozen=True):
    """What sets the keys: the *tree* of *file*, variables, and defaults from the environment.

    The only such default is that of ``workers.state_dir``, from *state_variable*.
    """

    file: str
    tree: Mapping[str, Any]
    variables: Variables
    defaults: Mapping[str, Any]
    state_variable: str = ""

    def find(self, path: KeyPath) -> tuple[OriginKind, str]:
        """Return the kind and the name of what sets the key at *path*."""
        if _contains(self.variables.tree, path):
            ends = range(len(path), 0, -1)
            setters = [self.variables.set_by.get(path[:end]) for end in ends]
            return "variable", next(filter(None, setters), "")
        if _contains(self.tree, path):
            return "file", self.file
        if _contains(self.defaults, path):
            return "variable", self.state_variable
        return "default", ""


def read_origins(path: Path | None, env: Mapping[str, str] | None = None) -> Origins:
    """Return what sets the keys of the configuration that ``load`` reads from *path*."""
    env = environment.environ() if env is None else env
    path = path or find()
    return Origins(
        str(path or ""),
        read_tree(path),
        environment.variables(env),
        environment.defaults(env),
        environment.state_variable(env),
    )


def effective_values(found: Settings, origins: Origins) -> list[EffectiveValue]:
    """Return the value and the origin of every key of *found* that has a value."""
    return [
        EffectiveValue(key(path), _plain(value), *origins.find(path), _note(path, value), path)
        for path, value in _leaves(found, ())
    ]


def environment_values(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of endpoints, certificates and proxies, without their passwords."""
    found = environment.network_variables(environment.environ() if env is None else env)
    return {
        name: _mask(with_scheme(value) if name.lower() in URLS_OF_PROXIES else value)
        for name, value in found.items()
    }


def secret_values(found: Settings, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield every secret of *found*, and what the environment has under a name of a secret.

    Of a URL in the environment only the password is secret.
    """
    for _, value in _leaves(found, ()):
        if isinstance(value, Secret) and value.reference.startswith(("env:", "file:")):
            with suppress(ConfigError):  # its file is gone, so nothing can show it
                yield value.reveal()
    yield from environment_secrets(env)


def environment_secrets(env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the secrets of the environment, by the names of its variables."""
    for name, value in (environment.environ() if env is None else env).items():
        if "://" in value or name.lower() in URLS_OF_PROXIES:
            with suppress(ValueError):
                yield urlsplit(with_scheme(value)).password or ""
        elif SECRET_NAME.search(name) and len(value) >= SHORTEST:
            yield value


def _mask(text: str) -> str:
    """Return *text* without the password, if it is a URL with a user."""
    if "://" not in text:
        return text
    masked = mask_password(text)
    # a password that is not percent-encoded may extend into what looks like the path
    return "the configured URL" if "@" in urlsplit(masked).path else masked


def _contains(tree: object, path: KeyPath) -> bool:
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return False
        tree = tree[name]
    return True


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Yield each key that has a value; a table's keys follow those of the table around it."""
    below: dict[str, object] = {}
    if isinstance(value, Mapping):
        below = dict(value)
    elif isinstance(value, BaseModel):
        names = Configuration.model_fields if not path else type(value).model_fields
        below = {name: getattr(value, name) for name in names}
        if below.get("unfiltered"):
            del below["filter"]
    elif value is not None:
        yield path, value
    for name, each in below.items():
        yield from _leaves(each, (*path, name))


def _plain(value: object) -> Any:
    """Return *value* as the configuration file has it."""
    match value:
        case Secret():
            return value.reference
        case Rule():
            named = {"name": value.name} if value.name else {}
            return named | {each.path: _wanted(each) for each in value.conditions}
        case Path():
            return str(value)
        case str():
            return _mask(value) if "@" in value else value
        case tuple() | list():
            return [_plain(each) for each in value]
        case _:
            return value


def _wanted(condition: Condition) -> Any:
    if condition.present is not None:
        return {"present": condition.present}
    if condition.none_of:
        return {"not": list(condition.none_of)}
    values = list(condition.one_of)
    return values[0] if len(values) == 1 else values


def _note(path: KeyPath, value: object) -> str:
    if not isinstance(value, Secret) or not value.reference.startswith(("env:", "file:")):
        return ""
    kind, _, name = value.reference.partition(":")
    where = f"secret in the {'variable' if kind == 'env' else 'file'} {name}"
    return f"{where}: {_mask(value.reveal())}" if path == ("broker", "url") else where
