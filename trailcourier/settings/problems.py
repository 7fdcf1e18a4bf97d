"""What is wrong with a configuration, one line each: where, which key, and what to do."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trailcourier.settings.environment import CONFIG, PREFIX, SECTIONS, KeyPath
from trailcourier.settings.shape import Configuration

_WRAPPED = {Annotated, Union, UnionType}
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WORDS = {  # pydantic's type of an error -> ours, where its own words do not do
    "missing": "missing",
    "model_type": "is no table",
    "dict_type": "is no table",
    "tuple_type": "is no list",
    "union_tag_not_found": "missing; one of {expected_tags}",
    "recursion_loop": "contains itself",
}


def told(error: ValidationError, file: str, said_by: Mapping[KeyPath, str]) -> list[str]:
    """Return a line for each thing *error* holds; values never appear in one."""
    return [_line(each, file, said_by) for each in error.errors(include_url=False)]


def strangers(names: Iterable[str]) -> list[str]:
    """Return a line for each variable that sets nothing."""
    static = [
        variable((section, key))
        for section in SECTIONS
        for key in _keys(Configuration.model_fields[section].annotation)
    ]
    lines = []
    for name in names:
        head, sep, tail = name.removeprefix(PREFIX).partition("__")
        near = difflib.get_close_matches(head.lower(), SECTIONS, n=1) if sep else []
        whole = [f"{PREFIX}{near[0].upper()}__{tail}"] if near else []
        lines.append(f"{name}: unknown variable{_meant(name, whole + static + [CONFIG])}")
    return lines


def variable(path: Sequence[str]) -> str:
    """Return the variable that sets the key at *path*."""
    return PREFIX + "__".join(path).upper().replace("-", "_")


def key(path: Iterable[int | str]) -> str:
    """Return *path* as a person writes it: ``sources.prod.buckets[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part if _BARE.fullmatch(part) else json.dumps(part)}"
    return text.removeprefix(".")


def _line(error: ErrorDetails, file: str, said_by: Mapping[KeyPath, str]) -> str:
    path, candidates = _path(error["loc"])
    names = tuple(str(part) for part in path)
    speaker = next(
        (said_by[names[:end]] for end in range(len(names), 0, -1) if names[:end] in said_by), None
    )
    where = speaker or f"{file}: {key(path)}"
    if error["type"] != "extra_forbidden":
        return f"{where}: {_words(error)}"
    if speaker:
        candidates = [variable((*names[:-1], each)) for each in candidates]
    return f"{where}: unknown key{_meant(speaker or names[-1], candidates)}"


def _meant(name: str, candidates: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, candidates, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _words(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["loc"][-1:] == ("[key]",):
        return "a name is 1 to 40 of a-z, 0-9 and -"
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in _WORDS:
        return _WORDS[error["type"]].format(**context)
    text = error["msg"]
    if error["type"] == "union_tag_invalid":
        text = f"must be one of {context['expected_tags']}"
    for theirs, ours in (("Input should be", "must be"), ("String should", "must")):
        text = text.replace(theirs, ours)
    return text[:1].lower() + text[1:]


def _path(loc: Sequence[int | str]) -> tuple[list[int | str], list[str]]:
    """Return *loc* as the file has it, and the keys its last table knows.

    pydantic also puts there which member of a union it tried, and whether a key is meant.
    """
    here: Any = Configuration
    path: list[int | str] = []
    known: list[str] = []
    for part in loc:
        if part == "[key]":
            continue
        member = _tagged(here, part)
        if member is not None:
            here = member
            continue
        path.append(part)
        known = _keys(here)
        here = _inside(here, part)
    return path, known


def _members(annotation: Any) -> Iterator[Any]:
    """Yield what *annotation* can be, without its wrapping."""
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


def _tagged(annotation: Any, tag: int | str) -> type[BaseModel] | None:
    """Return the member of a union that calls its ``type`` so."""
    for model in _models(annotation):
        field = model.model_fields.get("type")
        literal = field is not None and get_origin(field.annotation) is Literal
        if field is not None and literal and tag in get_args(field.annotation):
            return model
    return None


def _inside(annotation: Any, part: int | str) -> Any:
    for each in _members(annotation):
        if each in _models(each) and part in each.model_fields:
            return each.model_fields[part].annotation
        if get_origin(each) in {dict, tuple, list}:
            return get_args(each)[-1 if get_origin(each) is dict else 0]
    return None
