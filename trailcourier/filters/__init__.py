"""Decides which records of a source pass its filter.

Rules are compiled to a function that returns a verdict for each record: the name of the rule that
drops it, or None.  Only the fields that the rules name are decoded.  A record that cannot be
decoded passes.
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
    "pass_everything",
    "select_passing",
]

Decide = Callable[[Sequence[bytes]], list[str | None]]
Matches = Callable[[object], bool]


def pass_everything(records: Sequence[bytes]) -> list[str | None]:
    """Decide that every record passes, for a source without a filter."""
    return [None] * len(records)


def select_passing(records: Sequence[bytes], verdicts: Sequence[str | None]) -> list[bytes]:
    """Return the *records* that no rule drops."""
    return list(compress(records, map(not_, verdicts)))


def compile_rules(rules: FilterRules) -> Decide:
    """Compile *rules* to a function that returns the verdict of each record."""
    verdict = _compile_verdict(rules)
    types = _dropped_types(rules)
    if types is None:
        return lambda records: [verdict(record) for record in records]
    passes = _PassesByType(types)
    return lambda records: [
        None if passes[record[:BEGINNING_LENGTH]] else verdict(record) for record in records
    ]


# --- one record ---

# A field may have any type, so that none is an error; the inside of lists and objects stays raw.
Scalar = str | bool | int | float | None
Anything = Scalar | list[Raw] | dict[str, Raw] | UnsetType

GLOB = re.compile(r"[*?]")
CACHED_LENGTH = 4096  # verdicts of longer records are not cached, which bounds the memory


def _compile_verdict(rules: FilterRules) -> Callable[[bytes], str | None]:
    """Return the function that decides on one record; it caches verdicts by field values."""
    all_rules = (*rules.drop, *(rules.keep or ()))
    paths = list(dict.fromkeys(c.path for rule in all_rules for c in rule.conditions))
    head = _head_type([path.split(".") for path in paths])
    decode = msgspec.json.Decoder(head).decode
    attributes = [_attribute_names(head, path.split(".")) for path in paths]
    values = attrgetter(*(".".join(names) for names in (attributes[0], *attributes)))
    judge = _compile_judge(rules, paths)
    cached = lru_cache(maxsize=1024, typed=True)(judge)  # typed: true is not 1

    def verdict(record: bytes) -> str | None:
        try:
            fields = decode(record)
            if len(record) <= CACHED_LENGTH:
                return cached(*values(fields))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        except (AttributeError, TypeError):
            pass  # an array or object in place of a scalar, or a scalar in place of an object
        return judge(None, *(reduce(_member, names, fields) for names in attributes))

    return verdict


def _member(value: object, name: str) -> object:
    return getattr(value, name, UNSET)


def _head_type(paths: Sequence[Sequence[str]]) -> Any:
    """Return a struct type of the fields in *paths*, named f0, f1, ...; decoding skips others."""
    below: dict[str, list[Sequence[str]]] = {}
    for name, *rest in paths:
        below.setdefault(name, []).extend([rest] if rest else [])
    fields = [
        (f"f{n}", (_head_type(rest) | Scalar | list[Raw] | UnsetType) if rest else Anything, UNSET)
        for n, rest in enumerate(below.values())
    ]
    names = {f"f{n}": name for n, name in enumerate(below)}
    return msgspec.defstruct("Head", fields, rename=names, gc=False, frozen=True)


def _attribute_names(head: Any, path: Sequence[str]) -> list[str]:
    name, *rest = path
    field = next(f for f in msgspec.structs.fields(head) if f.encode_name == name)
    if not rest:
        return [field.name]
    inner = next(kind for kind in get_args(field.type) if hasattr(kind, "__struct_fields__"))
    return [field.name, *_attribute_names(inner, rest)]


def _compile_judge(rules: FilterRules, paths: Sequence[str]) -> Callable[..., str | None]:
    """Return the function that decides on the values at *paths*; it ignores its first argument.

    The caller passes one value twice, because ``attrgetter`` of one name returns no tuple.
    """
    drops = [(name, _compile_checks(rule, paths)) for name, rule in rules.named_drops()]
    keeps = [_compile_checks(rule, paths) for rule in rules.keep or ()]

    def judge(_: object, *values: object) -> str | None:
        for name, checks in drops:
            if all(matches(values[at]) for at, matches in checks):
                return name
        if not keeps or any(all(m(values[at]) for at, m in checks) for checks in keeps):
            return None
        return NO_KEEP_RULE

    return judge


def _compile_checks(rule: Rule, paths: Sequence[str]) -> list[tuple[int, Matches]]:
    return [
        (paths.index(condition.path), _compile_condition(condition))
        for condition in rule.conditions
    ]


def _compile_condition(condition: Condition) -> Matches:
    if condition.present is not None:
        present = condition.present
        return lambda value: (value is not None and value is not UNSET) is present
    is_one = _compile_one_of(condition.one_of or condition.none_of)
    if condition.one_of:
        return is_one
    return lambda value: isinstance(value, str | bool | int | float) and not is_one(value)


def _compile_one_of(values: Sequence[Value]) -> Matches:
    """Return the function that compares by type: true is not 1, and ``"true"`` is neither."""
    texts = {value for value in values if isinstance(value, str) and not GLOB.search(value)}
    globs = [value for value in values if isinstance(value, str) and GLOB.search(value)]
    pattern = re.compile("|".join(map(_regex, globs)), re.DOTALL) if globs else None
    booleans = {value for value in values if isinstance(value, bool)}
    numbers = {v for v in values if isinstance(v, int | float) and not isinstance(v, bool)}

    def is_one(value: object) -> bool:
        if isinstance(value, str):
            return value in texts or bool(pattern and pattern.fullmatch(value))
        if isinstance(value, bool):
            return value in booleans
        return isinstance(value, int | float) and value in numbers

    return is_one


def _regex(glob: str) -> str:
    """Return the regular expression of *glob*; no star backtracks, so that no text makes it slow.

    For each star but the last, the first match of the following part is as good as any other.  Only
    the last star must extend to the end.
    """
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in glob.split("*"))
    if not rest:
        return first
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return f"{first}{middle}.*{rest[-1]}"


# --- most records, without decoding them ---

# AWS writes every record with this beginning.  Even for the shortest type, the length ends before
# the first character that differs from call to call, so that there are few different beginnings.
BEGINNING = re.compile(rb'\{"eventVersion":"[0-9.]+","userIdentity":\{"type":"([A-Za-z]+)"')
BEGINNING_LENGTH = 64
BEGINNINGS = 256  # cached, at most: bounds the memory whatever records begin with


def _dropped_types(rules: FilterRules) -> frozenset[bytes] | None:
    """Return the userIdentity types that rules may drop; None if that is not clear from them."""
    types: set[bytes] = set()
    for rule in rules.drop:
        values = [c.one_of for c in rule.conditions if c.path == "userIdentity.type" and c.one_of]
        texts = [value for value in (values or [()])[0] if isinstance(value, str)]
        if not values or any(map(GLOB.search, texts)):
            return None
        types.update(map(str.encode, texts))
    return None if rules.keep else frozenset(types)


class _PassesByType(dict[bytes, bool]):
    """Maps a record's beginning to whether its userIdentity type is none of *types*.

    If a record contains the type twice, the first one counts; a record that passes by one of the
    two is sent.
    """

    def __init__(self, types: frozenset[bytes]) -> None:
        super().__init__()
        self._types = types

    def __missing__(self, beginning: bytes) -> bool:
        match = BEGINNING.match(beginning)
        passes = match is not None and match[1] not in self._types
        if len(self) < BEGINNINGS:
            self[beginning] = passes
        return passes
