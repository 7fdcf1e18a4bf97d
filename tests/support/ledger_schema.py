"""Read the keys from ``trailcourier/ledger/schema.md`` and from the scripts, to compare them.

A key is written as on the page, with ``<>`` for each part that varies.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from trailcourier.ledger.script import Part, Script, scripts

PAGE = Path(__file__).parents[2] / "trailcourier/ledger/schema.md"
READS = re.compile("EXISTS|GET|H(EXISTS|GET|GETALL|KEYS|LEN|MGET|VALS)|L(LEN|POS|RANGE)|MGET|"
                   "S(ISMEMBER|MEMBERS|MISMEMBER)|Z(CARD|RANGE|RANGEBYSCORE|SCORE)")  # fmt: skip
WRITES = re.compile("DEL|H(DEL|INCRBY|SET)|INCR|L(PUSH|REM|TRIM)|PEXPIRE|S(ADD|ET|REM)|"
                    "Z(ADD|POPMIN|REM|REMRANGEBYRANK|REMRANGEBYSCORE|UNIONSTORE)")  # fmt: skip
NAMESPACE = "trailcourier:1:"
LOOKED_AT = 20
NOT_OURS = re.compile(b"clock$|offset$|celery:")
ENTRIES = ("s:<>:qe", "s:<>:qm", "s:<>:qt")
OTHERWISE = {  # keys that a part takes as an argument, or chooses from several
    ("shared/put_in_quarantine.lua", "S .. (new.kind == 'message' and 'qm' or 'qt')"): ENTRIES[1:],
    ("shared/delete_fields.lua", "state"): ("s:<>:o:<>",),
    ("shared/runs_when_full.lua", "KEYS[1] .. 'nothing'"): (),  # this key never exists
    ("shared/set_state_field.lua", "state"): ("s:<>:o:<>",),
    ("shared/remove_entry.lua", "S .. set"): ENTRIES,
    ("shared/note_occurrence.lua", "S .. set"): ENTRIES,
    ("shared/begin_content.lua", "state"): ("s:<>:o:<>",),
    ("send_tick.lua", "queue"): (),  # Celery's
}
_CALL = re.compile(r"redis\.call\('(\w+)', ((?:[^,()]|\([^()]*\))+)")
_LOCAL = re.compile(r"^ *local (.*?) = (.*?)$", re.MULTILINE)
_PARTS = re.compile(r",\s*(?![^()]*\))")
_TABLE = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class Key(NamedTuple):
    """A key as a row of the page describes it."""

    name: str
    type: str
    ends: bool
    writers: frozenset[str]

    @property
    def pattern(self) -> re.Pattern[bytes]:
        return re.compile((re.escape(NAMESPACE) + _regex(self.name)).encode(), re.DOTALL)


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables below *heading*."""
    for line in dict(_TABLE.findall(PAGE.read_text()))[heading].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith("`"):
            yield cells


@cache
def named() -> tuple[Key, ...]:
    """Return the keys that the page names."""
    found = []
    for heading, prefix in (("Keys of the fleet", ""), ("Keys of a source", "s:<>:")):
        for name, type_, _, life, writers in rows(heading):
            key = prefix + _varying(name.strip("`"))
            by = frozenset(re.findall(r"`(\w+)`", writers))
            found.append(Key(key, type_, life != "none", by))
    return tuple(sorted(found))


@cache
def fields() -> dict[str, frozenset[str]]:
    """Return the fields of each hash that the page lists fields for."""
    found: dict[str, set[str]] = defaultdict(set)
    for key, names, _ in rows("Fields of hashes"):
        found[_varying(key.strip("`"))] |= {_varying(name) for name in re.findall("`(.*?)`", names)}
    return {key: frozenset(names) for key, names in found.items()}


def when_full() -> dict[str, tuple[str, ...]]:
    """Return the scripts that a full broker runs, those it refuses, and those that only read."""
    page = dict(_TABLE.findall(PAGE.read_text()))["A full broker"]
    _, *parts = re.split(r"^\| \*\*(.*?)\*\* \|.*$", page, flags=re.MULTILINE)
    firsts = (re.sub(r"^(\|.*?\|).*$", r"\1", text, flags=re.MULTILINE) for text in parts[1::2])
    names = (tuple(re.findall(r"`(\w+)`", first)) for first in firsts)
    return dict(zip(parts[::2], names, strict=True))


def unknown(client: Any) -> list[str]:
    """Return what is wrong with the keys in Redis; checks a few keys of each name."""
    seen: dict[Key, list[bytes]] = defaultdict(list)
    wrong = []
    for found in client.keys(f"{NAMESPACE}*"):
        if NOT_OURS.match(found.removeprefix(NAMESPACE.encode())):
            continue
        alike = [key for key in named() if key.pattern.fullmatch(found)]
        if alike:
            seen[max(alike, key=lambda key: len(key.name))].append(found)
        else:
            wrong.append(f"{found!r} is not in the schema")
    for key, every in seen.items():
        for found in every[:LOOKED_AT]:
            wrong += [f"{found!r} {what}" for what in _differences(client, key, found)]
    return wrong


def _differences(client: Any, key: Key, found: bytes) -> Iterator[str]:
    type_, life = client.type(found).decode(), client.pttl(found)
    if type_ != key.type:
        yield f"is a {type_}, not a {key.type}"
    if key.ends != (life > 0):
        yield f"lives for {life} ms"
    if type_ == "hash" and key.name in fields():
        known = re.compile("|".join(map(_regex, fields()[key.name])).encode(), re.DOTALL)
        yield from (f"has {name!r}" for name in client.hkeys(found) if not known.fullmatch(name))


def _regex(name: str) -> str:
    return ".*".join(map(re.escape, name.split("<>")))


def _varying(name: str) -> str:
    return re.sub("<[^>]*>", "<>", name)


def written() -> dict[str, frozenset[str]]:
    """Return the scripts that may write each key."""
    found: dict[str, set[str]] = defaultdict(set)
    for script in scripts():
        for key in _writes(script):
            found[key].add(script.name)
    return {key: frozenset(names) for key, names in found.items()}


def _writes(script: Script) -> Iterator[str]:
    for part in script.parts:
        known: dict[str, str] = {}
        for name, value in _locals(part):
            if known.setdefault(name, value) != value:
                raise ValueError(f"{part.file}: {name} is two keys")
        for command, key in _CALL.findall(part.text):
            if WRITES.fullmatch(command):
                yield from _keys(known.get(key, key), part)
            elif not READS.fullmatch(command):
                raise ValueError(f"{part.file}: does {command} write?")


def _locals(part: Part) -> Iterator[tuple[str, str]]:
    """Yield the local variables of *part* that name keys, with the expressions of the keys."""
    for names, values in _LOCAL.findall(part.text):
        for name, value in zip(names.split(", "), _PARTS.split(values), strict=False):
            if re.match(r"[GS] \.\. ", value):
                yield name, value


def _keys(expression: str, part: Part) -> tuple[str, ...]:
    """Return the keys that a Lua *expression* names."""
    if (part.file, expression) in OTHERWISE:
        return OTHERWISE[part.file, expression]
    of, *pieces = re.split(r" \.\. (?![^(]*\))", expression)
    if of not in {"G", "S"}:
        raise ValueError(f"{part.file}: which key is {expression}?")
    name = "".join(piece.strip("'") if piece.startswith("'") else "<>" for piece in pieces)
    return (("s:<>:" if of == "S" else "") + name,)
