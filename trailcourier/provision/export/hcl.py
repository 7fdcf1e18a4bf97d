"""HCL as text: blocks, attributes and the values in them; pure."""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class Expression(msgspec.Struct, frozen=True):
    """Text that is HCL itself: a reference, or a call of a function on a value."""

    text: str


class Encoded(msgspec.Struct, frozen=True):
    """A value that is written as JSON inside HCL."""

    value: Any


class Block(msgspec.Struct, frozen=True):
    """``head { ... }``: attributes first, blocks after them; *comments* before it."""

    head: str
    attributes: Mapping[str, Any]
    blocks: tuple["Block", ...] = ()
    comments: tuple[str, ...] = ()


def lines(block: Block, indent: str = "") -> Iterator[str]:
    """Write *block* as people and formatters do."""
    inner = f"{indent}  "
    yield from (f"{indent}# {each}" for each in block.comments)
    yield f"{indent}{block.head} {{"
    yield from _rows(block.attributes, inner)
    for each in block.blocks:
        yield from lines(each, inner)
    yield f"{indent}}}"


def _rows(attributes: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Write *attributes*, their equals signs in line where several short ones follow each other."""
    rows = [(name, written(value, indent)) for name, value in attributes.items()]
    for long, run in itertools.groupby(rows, key=lambda row: "\n" in row[1]):
        named = list(run)
        width = 0 if long else max(len(name) for name, _ in named)
        yield from (f"{indent}{name:<{width}} = {text}" for name, text in named)


def written(value: Any, indent: str = "") -> str:
    """Write one value; nested ones are indented further than *indent*."""
    inner = f"{indent}  "
    match value:
        case Expression(text):
            return text
        case Encoded(inside):
            return f"jsonencode({written(inside, indent)})"
        case Mapping():
            rows = _rows({quoted(name): each for name, each in value.items()}, inner)
            return "\n".join(["{", *rows, f"{indent}}}"]) if value else "{}"
        case list() | tuple():
            rows = (f"{inner}{written(each, inner)}," for each in value)
            return "\n".join(["[", *rows, f"{indent}]"]) if value else "[]"
        case str():
            return quoted(value)
        case _:
            return json.dumps(value)


def quoted(value: str) -> str:
    """Write a string; what would begin a template is written twice over."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
