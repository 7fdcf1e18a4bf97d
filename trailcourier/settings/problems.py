"""Turns the problems of a configuration into lines: where, which key, and what to do."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from trailcourier.models import ExpertNumbers
from trailcourier.settings.environment import CONFIG, PREFIX, SECTIONS, KeyPath
from trailcourier.settings.shape import Configuration, LineSettings
from trailcourier.text import did_you_mean

_WRAPPED = {Annotated, Union, UnionType}
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_UNTAGGED = {"union_tag_not_found", "union_tag_invalid"}
_WORDS = {  # words for types of pydantic's errors, where its own are unclear
    "missing": "missing",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
    "recursion_loop": "contains itself",
}


def lines(error: ValidationError, file: str, set_by: Mapping[KeyPath, str]) -> list[str]:
    """Return a line for each problem in *error*, without its value.

    *set_by* names the variables that set keys.
    """
    return [_line(each, file, set_by) for each in error.errors(include_url=False)]


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Return a line for each variable that sets no key, with the nearest name."""
    static = [
        variable((section, key))
        for section in SECTIONS
        for key in _keys(Configuration.model_fields[section].annotation)
    ]
    found = []
    for name in names:
        head, sep, tail = name.removeprefix(PREFIX).partition("__")
        near = difflib.get_close_matches(head.lower(), SECTIONS, n=1) if sep else []
        whole = [f"{PREFIX}{near[0].upper()}__{tail}"] if near else []
        found.append(f"{name}: unknown variable{did_you_mean(name, whole + static + [CONFIG])}")
    return found


def variable(path: Sequence[str]) -> str:
    """Return the variable that sets the key at *path*."""
    return PREFIX + "__".join(path).upper().replace("-", "_")


def key(path: Iterable[int | str]) -> str:
    """Return *path* as TOML writes it: ``sources.prod.buckets[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part if _BARE.fullmatch(part) else json.dumps(part)}"
    return text.removeprefix(".")


def _line(error: ErrorDetails, file: str, set_by: Mapping[KeyPath, str]) -> str:
    untagged = error["type"] in _UNTAGGED
    discriminator = [error["ctx"]["discriminator"].strip("'")] if untagged else []
    path, table = _path((*error["loc"], *discriminator))
    names = tuple(str(part) for part in path)
    setter = next(
        (set_by[names[:end]] for end in range(len(names), 0, -1) if names[:end] in set_by), None
    )
    where = setter or f"{file}: {key(path)}"
    if untagged:
        return f"{where}: must be one of {', '.join(_tags(table))}"
    if error["type"] != "extra_forbidden":
        return f"{where}: {_words(error)}"
    if table is LineSettings and names[-1] in ExpertNumbers.model_fields:
        moved = (*names[:-1], "expert", names[-1])
        return f"{where}: moved to {variable(moved) if setter else key(moved)}"
    known = _keys(table)
    if setter:
        known = [variable((*names[:-1], each)) for each in known]
    return f"{where}: unknown key{did_you_mean(setter or names[-1], known)}"


def _words(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["loc"][-1:] == ("[key]",):
        return "a name is 1 to 40 of a-z, 0-9 and -"
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in _WORDS:
        return _WORDS[error["type"]]
    text = error["msg"]
    for before, after in (("Input should be", "must be"), ("String should", "must")):
        text = text.replace(before, after)
    return text[:1].lower() + text[1:]


def _path(loc: Sequence[int | str]) -> tuple[list[int | str], Any]:
    """Return *loc* as a path in the file, and the type of the table that has its last key.

    In *loc*, pydantic also names the member of a union that it tried, and marks keys.
    """
    here: Any = Configuration
    table: Any = None
    path: list[int | str] = []
    for part in loc:
        if part == "[key]":
            continue
        if part in (members := _tags(here)):
            here = members[part]
            continue
        path.append(part)
        table, here = here, _inside(here, part)
    return path, table


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the types that *annotation* allows, without wrappers."""
    if get_origin(annotation) in _WRAPPED:
        inner = get_args(annotation)
        for each in inner[:1] if get_origin(annotation) is Annotated else inner:
            yield from _members(each)
    else:
        yield annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [
        each
        for each in _members(annotation)
        if isinstance(each, type) and issubclass(each, BaseModel)
    ]


def _keys(annotation: Any) -> list[str]:
    return sorted({name for model in _models(annotation) for name in model.model_fields})


def _tags(annotation: Any) -> dict[str, Any]:
    """Return the members of a discriminated union by their tags.

    A member may be such a union itself, such as a sink type with several ways.
    """
    key = _discriminator(annotation)
    if key is None:
        return {}
    return {
        tag: member
        for member in get_args(get_args(annotation)[0])
        for model in _models(member)
        for tag in get_args(model.model_fields[key].annotation)
    }


def _discriminator(annotation: Any) -> str | None:
    found = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    keys = [each.discriminator for each in found if isinstance(each, FieldInfo)]
    return str(keys[0]) if keys and keys[0] else None


def _inside(annotation: Any, part: int | str) -> Any:
    for each in _members(annotation):
        if each in _models(each) and part in each.model_fields:
            return each.model_fields[part].annotation
        if get_origin(each) in {dict, tuple, list}:
            return get_args(each)[-1 if get_origin(each) is dict else 0]
    return None
