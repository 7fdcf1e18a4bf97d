"""Documents that others write in too: policies and a bucket's notification configuration.

Pure.  What is ours is known by its Sid or Id; everything else stays as it is, in its order.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.provision.steps import Document, Notification, Statements

VERSION = "2012-10-17"
_EVENTBRIDGE = "EventBridgeConfiguration"


def policy(statements: Sequence[Document]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": [dict(each) for each in statements]}


def read(text: object) -> dict[str, Any]:
    """The policy that AWS gave as text or as an object; an empty one for nothing."""
    if isinstance(text, Mapping):
        return dict(text)
    found: dict[str, Any] = json.loads(text) if isinstance(text, str) and text else {}
    return found


def statements_in(found: Document) -> list[Document]:
    """The statements of a policy, which may be one object without a list around it."""
    held = found.get("Statement", [])
    return [held] if isinstance(held, Mapping) else list(held)


def holds(found: Document, wanted: Statements) -> bool:
    """Whether any statement of ours is there."""
    ours = {each["Sid"] for each in wanted.statements}
    return any(each.get("Sid") in ours for each in statements_in(found))


def lacking(found: Document, wanted: Statements) -> Iterator[str]:
    """Say which statements are not there, or are there and say something else."""
    there = {each.get("Sid"): each for each in statements_in(found)}
    for each in wanted.statements:
        held = there.get(each["Sid"])
        if held is None:
            yield f"statement {each['Sid']} is not there"
        elif not same(held, each):
            yield f"statement {each['Sid']} says something else"


def merged(found: Document, wanted: Statements) -> dict[str, Any]:
    """*found* with ours in it: each in the place of the one with its Sid, else at the end."""
    ours = {each["Sid"]: dict(each) for each in wanted.statements}
    kept = [ours.pop(each.get("Sid"), each) for each in statements_in(found)]
    return {"Version": VERSION, **found, "Statement": [*kept, *ours.values()]}


def without(found: Document, wanted: Statements) -> dict[str, Any] | None:
    """*found* without ours; None if nothing would be left."""
    ours = {each["Sid"] for each in wanted.statements}
    kept = [each for each in statements_in(found) if each.get("Sid") not in ours]
    return {**found, "Statement": kept} if kept else None


def _plain(value: Any) -> Any:
    """*value* however AWS writes it back: one or a list of one, in any order, 10 or "10"."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        plain = [_plain(each) for each in value]
        return plain[0] if len(plain) == 1 else sorted(plain, key=_ordered)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same to AWS."""
    return bool(_plain(one) == _plain(other))


def _ordered(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def hooked(found: Document, wanted: Notification) -> bool:
    """Whether a bucket's notification configuration has our entry, whatever it says."""
    if wanted.kind == _EVENTBRIDGE:
        return _EVENTBRIDGE in found
    return any(each.get("Id") == wanted.entry["Id"] for each in found.get(wanted.kind, []))


def unannounced(found: Document, wanted: Notification) -> Iterator[str]:
    """Say what of our entry is not as it should be."""
    if wanted.kind == _EVENTBRIDGE:
        return
    for held in found.get(wanted.kind, []):
        if held.get("Id") == wanted.entry["Id"] and _lowered(held) != _lowered(wanted.entry):
            yield f"notification {wanted.entry['Id']} says something else"


def announced(found: Document, wanted: Notification) -> dict[str, Any]:
    """*found* with our entry in it."""
    if wanted.kind == _EVENTBRIDGE:
        return {**found, _EVENTBRIDGE: {}}
    others = [each for each in found.get(wanted.kind, []) if each.get("Id") != wanted.entry["Id"]]
    return {**found, wanted.kind: [*others, dict(wanted.entry)]}


def unhooked(found: Document, wanted: Notification) -> dict[str, Any]:
    """*found* without our entry; EventBridge stays on, for others may have rules."""
    if wanted.kind == _EVENTBRIDGE:
        return dict(found)
    others = [each for each in found.get(wanted.kind, []) if each.get("Id") != wanted.entry["Id"]]
    rest = {name: value for name, value in found.items() if name != wanted.kind}
    return {**rest, wanted.kind: others} if others else rest


def _lowered(entry: Document) -> Any:
    """*entry* with the names of filter rules in small letters; S3 may write them large."""
    text = json.dumps(entry)
    for name in ("prefix", "suffix"):
        text = text.replace(f'"{name.title()}"', f'"{name}"')
    return _plain(json.loads(text))
