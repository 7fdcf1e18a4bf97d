"""Which records of a source pass.

Rules are compiled to a function from records to verdicts, the name of the rule that drops a record
or None.  Only the fields that rules name are decoded.  What cannot be decoded is kept.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from itertools import compress
from operator import attrgetter, not_
from typing import Any, get_args

import msgspec
from msgspec import UNSET, Raw, UnsetType

from trailcourier.filters.rules import (
    DEFAULT_RULE,
    NO_KEEP_RULE,
    Condition,
    FilterRules,
    Rule,
    Value,
    describe,
)

__all__ = [
    "DEFAULT_RULE",
    "NO_KEEP_RULE",
    "Decide",
    "FilterRules",
    "compile_rules",
    "describe",
    "everything",
    "passing",
]

Decide = Callable[[Sequence[bytes]], list[str | None]]
Matches = Callable[[object], bool]


def everything(records: Sequence[bytes]) -> list[str | None]:
    """The decision of a source that is not filtered: all pass."""
    return [None] * len(records)


def passing(records: Sequence[bytes], verdicts: Sequence[str | None]) -> list[bytes]:
    """The *records* that no rule drops."""
    return list(compress(records, map(not_, verdicts)))


def compile_rules(rules: FilterRules) -> Decide:
    """What decides by *rules*: for each record the name of the rule that drops it, or None."""
    verdict = _verdict(rules)
    types = _types_dropped(rules)
    if types is None:
        return lambda records: [verdict(record) for record in records]
    spared = _Spared(types)
    return lambda records: [
        None if spared[record[:BEGINNING_LENGTH]] else verdict(record) for record in records
    ]


# --- one record ---

# What a field may hold is anything, so that no type is a surprise; its inside is not decoded.
Scalar = str | bool | int | float | None
Anything = Scalar | list[Raw] | dict[str, Raw] | UnsetType

GLOB = re.compile(r"[*?]")
REMEMBERED = 4096  # the values of longer records are not remembered, so that memory is bounded


def _verdict(rules: FilterRules) -> Callable[[bytes], str | None]:
    """What decides on one record, remembering what it decided on the same values."""
    every = (*rules.drop, *(rules.keep or ()))
    paths = list(dict.fromkeys(c.path for rule in every for c in rule.conditions))
    head = _head([path.split(".") for path in paths])
    decode = msgspec.json.Decoder(head).decode
    attributes = [_attributes(head, path.split(".")) for path in paths]
    values = attrgetter(*(".".join(names) for names in (attributes[0], *attributes)))
    judge = _judge(rules, paths)
    remembered = lru_cache(maxsize=1024, typed=True)(judge)  # typed: true is not 1

    def verdict(record: bytes) -> str | None:
        try:
            fields = decode(record)
            if len(record) <= REMEMBERED:
                return remembered(*values(fields))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        except (AttributeError, TypeError):
            pass  # an array or object stands where a value is due, or none where one is
        return judge(None, *(reduce(_inside, names, fields) for names in attributes))

    return verdict


def _inside(value: object, name: str) -> object:
    return getattr(value, name, UNSET)


def _head(paths: Sequence[Sequence[str]]) -> Any:
    """A struct of the fields that *paths* name, as f0, f1, ...; the others are skipped."""
    below: dict[str, list[Sequence[str]]] = {}
    for name, *rest in paths:
        below.setdefault(name, []).extend([rest] if rest else [])
    fields = [
        (f"f{n}", (_head(rest) | Scalar | list[Raw] | UnsetType) if rest else Anything, UNSET)
        for n, rest in enumerate(below.values())
    ]
    names = {f"f{n}": name for n, name in enumerate(below)}
    return msgspec.defstruct("Head", fields, rename=names, gc=False, frozen=True)


def _attributes(head: Any, path: Sequence[str]) -> list[str]:
    name, *rest = path
    field = next(f for f in msgspec.structs.fields(head) if f.encode_name == name)
    if not rest:
        return [field.name]
    inner = next(kind for kind in get_args(field.type) if hasattr(kind, "__struct_fields__"))
    return [field.name, *_attributes(inner, rest)]


def _judge(rules: FilterRules, paths: Sequence[str]) -> Callable[..., str | None]:
    """What decides on the values at *paths*; the first argument is not looked at.

    It is there because ``attrgetter`` makes no tuple of one value.
    """
    drops = [(name, _checks(rule, paths)) for name, rule in rules.named_drops()]
    keeps = [_checks(rule, paths) for rule in rules.keep or ()]

    def judge(_: object, *values: object) -> str | None:
        for name, checks in drops:
            if all(matches(values[at]) for at, matches in checks):
                return name
        if not keeps or any(all(m(values[at]) for at, m in checks) for checks in keeps):
            return None
        return NO_KEEP_RULE

    return judge


def _checks(rule: Rule, paths: Sequence[str]) -> list[tuple[int, Matches]]:
    return [(paths.index(condition.path), _matches(condition)) for condition in rule.conditions]


def _matches(condition: Condition) -> Matches:
    if condition.present is not None:
        present = condition.present
        return lambda value: (value is not None and value is not UNSET) is present
    same = _one_of(condition.one_of or condition.none_of)
    if condition.one_of:
        return same
    return lambda value: isinstance(value, str | bool | int | float) and not same(value)


def _one_of(values: Sequence[Value]) -> Matches:
    """Equality by kind: true is not 1, and ``"true"`` is neither."""
    texts = {value for value in values if isinstance(value, str) and not GLOB.search(value)}
    globs = [value for value in values if isinstance(value, str) and GLOB.search(value)]
    pattern = re.compile("|".join(map(_regex, globs)), re.DOTALL) if globs else None
    booleans = {value for value in values if isinstance(value, bool)}
    numbers = {v for v in values if isinstance(v, int | float) and not isinstance(v, bool)}

    def same(value: object) -> bool:
        if isinstance(value, str):
            return value in texts or bool(pattern and pattern.fullmatch(value))
        if isinstance(value, bool):
            return value in booleans
        return isinstance(value, int | float) and value in numbers

    return same


def _regex(glob: str) -> str:
    """The regular expression of *glob*, in which no star takes back what it has found.

    So no text makes it slow.  The first place at which what follows a star is found is as good as
    any; only the last star must reach the end.
    """
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in glob.split("*"))
    if not rest:
        return first
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return f"{first}{middle}.*{rest[-1]}"


# --- most records, without decoding them ---

# Every record begins so, as AWS writes it.  The length ends before the first character that
# differs from call to call, for the shortest type, so that few different beginnings are met.
BEGINNING = re.compile(rb'\{"eventVersion":"[0-9.]+","userIdentity":\{"type":"([A-Za-z]+)"')
BEGINNING_LENGTH = 64
BEGINNINGS = 256  # remembered, so that memory is bounded whatever records begin with


def _types_dropped(rules: FilterRules) -> frozenset[bytes] | None:
    """The userIdentity types that rules may drop; None if the rules do not say so plainly."""
    types: set[bytes] = set()
    for rule in rules.drop:
        asked = [c.one_of for c in rule.conditions if c.path == "userIdentity.type" and c.one_of]
        texts = [value for value in (asked or [()])[0] if isinstance(value, str)]
        if not asked or any(map(GLOB.search, texts)):
            return None
        types.update(map(str.encode, texts))
    return None if rules.keep else frozenset(types)


class _Spared(dict[bytes, bool]):
    """Whether a record with this beginning has a userIdentity type other than *types*.

    Of a type written twice the first counts, and a record that one of the two spares is sent.
    """

    def __init__(self, types: frozenset[bytes]) -> None:
        super().__init__()
        self._types = types

    def __missing__(self, beginning: bytes) -> bool:
        begins = BEGINNING.match(beginning)
        spared = begins is not None and begins[1] not in self._types
        if len(self) < BEGINNINGS:
            self[beginning] = spared
        return spared
