"""Evaluates the filter policy of an SNS subscription for the notification of a log file.

SNS drops silently what a filter policy does not match.  A condition that is not understood makes
the verdict ``unknown``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trailcourier.doctor.policies import Verdict

Values = Mapping[str, Sequence[str] | None]
"""The values under each key of a notification; None for values that are not known."""


def passes(policy: str, values: Values) -> Verdict:
    """Return whether *policy*, a JSON text, passes a notification with these *values*."""
    try:
        found = json.loads(policy or "{}")
    except ValueError:
        return "unknown"
    return _all_match(found, values) if isinstance(found, dict) else "unknown"


def _all_match(policy: Mapping[str, Any], values: Values) -> Verdict:
    verdicts = [
        _any([_all_match(each, values) for each in conditions])
        if key == "$or" and isinstance(conditions, list)
        else _key_matches(conditions, key in values, values.get(key))
        for key, conditions in policy.items()
    ]
    if "no" in verdicts:
        return "no"
    return "unknown" if "unknown" in verdicts else "yes"


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    if "yes" in verdicts:
        return "yes"
    return "unknown" if "unknown" in verdicts else "no"


def _key_matches(conditions: Any, present: bool, values: Sequence[str] | None) -> Verdict:
    """Return whether any of *conditions* holds for a key with these *values*."""
    if not isinstance(conditions, list):  # keys below this one
        return "unknown" if present and values is None else "no"
    if not present:
        return "yes" if {"exists": False} in conditions else "no"
    return _any([_matches(each, values) for each in conditions])


def _matches(condition: Any, values: Sequence[str] | None) -> Verdict:
    """Return whether one *condition* holds for one of *values*."""
    if isinstance(condition, dict) and isinstance(exists := condition.get("exists"), bool):
        return "yes" if exists else "no"
    if values is None:
        return "unknown"
    if not isinstance(condition, dict):  # no value of a notification is a number, true or null
        return _verdict(condition in values)
    operator, wanted = next(iter(condition.items()), ("", ""))
    test = _TESTS.get(operator)
    words = wanted if isinstance(wanted, list) else [wanted]
    if test is None or not all(isinstance(word, str) for word in words):
        return "unknown"
    return _verdict(any(test(each, words) for each in values))


_TESTS: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
    "prefix": lambda value, words: value.startswith(tuple(words)),
    "suffix": lambda value, words: value.endswith(tuple(words)),
    "equals-ignore-case": lambda value, words: value.lower() in [word.lower() for word in words],
    "anything-but": lambda value, words: value not in words,
}


def _verdict(holds: bool) -> Verdict:
    return "yes" if holds else "no"
