"""Writes values as TOML, and the effective ones as a file that loads to the same configuration."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trailcourier.settings.effective import EffectiveValue
from trailcourier.settings.problems import key
from trailcourier.text import printable


def toml_lines(values: Iterable[EffectiveValue]) -> Iterator[str]:
    """Yield a table for each path, with a line and a comment for each of its values."""
    tables: dict[tuple[str, ...], list[EffectiveValue]] = {}
    for each in values:
        tables.setdefault(each.path[:-1], []).append(each)
    for path, inside in tables.items():
        yield f"[{key(path)}]"
        for each in inside:
            yield f"{key(each.path[-1:])} = {toml_value(each.value)}  # {printable(_comment(each))}"
        yield ""


def _comment(value: EffectiveValue) -> str:
    origin = f"variable {value.set_by}" if value.origin == "variable" else value.set_by
    return "; ".join(filter(None, [origin or "default", value.note]))


def toml_value(value: Any) -> str:
    """Return *value* as TOML writes it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{"".join(map(_character, value))}"'
        case Mapping():
            pairs = [f"{_key(name)} = {toml_value(each)}" for name, each in value.items()]
            return f"{{ {', '.join(pairs)} }}"
        case [Mapping(), *_]:
            return "\n".join(["[", *(f"  {toml_value(each)}," for each in value), "]"])
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            return str(value)


def _key(name: str) -> str:
    """Return *name* as a key; the dots in a field's path are not TOML's."""
    return key([name]) if name.isascii() else toml_value(name)


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
