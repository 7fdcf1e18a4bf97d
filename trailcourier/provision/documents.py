"""Documents that others edit too: policies and a bucket's notification configuration.

Pure. Our entries are known by their Sid or Id; all other entries stay unchanged and in order.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.provision.steps import BucketNotification, Document, Statements

VERSION = "2012-10-17"
_EVENTBRIDGE = "EventBridgeConfiguration"


def policy_document(statements: Sequence[Document]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": [dict(each) for each in statements]}


def parse_policy(text: object) -> dict[str, Any]:
    """Return the policy that AWS gave as text or as an object; empty where it gave none."""
    if isinstance(text, Mapping):
        return dict(text)
    policy: dict[str, Any] = json.loads(text) if isinstance(text, str) and text else {}
    return policy


def list_statements(policy: Document) -> list[Document]:
    """Return the statements of a policy; AWS allows a single object in place of the list."""
    statements = policy.get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else list(statements)


def has_any_statement(policy: Document, wanted: Statements) -> bool:
    """Return whether *policy* holds at least one of our statements."""
    ours = {each["Sid"] for each in wanted.statements}
    return any(each.get("Sid") in ours for each in list_statements(policy))


def statement_differences(policy: Document, wanted: Statements) -> Iterator[str]:
    """Yield a text for each of our statements that is missing or differs."""
    existing = {each.get("Sid"): each for each in list_statements(policy)}
    for each in wanted.statements:
        statement = existing.get(each["Sid"])
        if statement is None:
            yield f"statement {each['Sid']} is missing"
        elif not is_equivalent(statement, each):
            yield f"statement {each['Sid']} differs"


def merge_statements(policy: Document, wanted: Statements) -> dict[str, Any]:
    """Return *policy* with our statements: each replaces the one with its Sid, or is appended."""
    ours = {each["Sid"]: dict(each) for each in wanted.statements}
    kept = [ours.pop(each.get("Sid"), each) for each in list_statements(policy)]
    return {"Version": VERSION, **policy, "Statement": [*kept, *ours.values()]}


def remove_statements(policy: Document, wanted: Statements) -> dict[str, Any] | None:
    """Return *policy* without our statements; None if no statement remains."""
    ours = {each["Sid"] for each in wanted.statements}
    kept = [each for each in list_statements(policy) if each.get("Sid") not in ours]
    return {**policy, "Statement": kept} if kept else None


def _normalize(value: Any) -> Any:
    """Return one form for what AWS may return in several.

    A list of one equals its element, the order of a list does not matter, and 10 equals "10".
    """
    if isinstance(value, Mapping):
        return {str(name): _normalize(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        elements = [_normalize(each) for each in value]
        return elements[0] if len(elements) == 1 else sorted(elements, key=_sort_key)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def is_equivalent(one: Any, other: Any) -> bool:
    """Return whether AWS treats the two values as the same."""
    return bool(_normalize(one) == _normalize(other))


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def has_notification(configuration: Document, wanted: BucketNotification) -> bool:
    """Return whether the bucket's notification configuration has our entry, changed or not."""
    if wanted.kind == _EVENTBRIDGE:
        return _EVENTBRIDGE in configuration
    entries = configuration.get(wanted.kind, [])
    return any(each.get("Id") == wanted.entry["Id"] for each in entries)


def notification_differences(configuration: Document, wanted: BucketNotification) -> Iterator[str]:
    """Yield a text if our entry exists and differs."""
    if wanted.kind == _EVENTBRIDGE:
        return
    expected = _lowercase_rule_names(wanted.entry)
    for each in configuration.get(wanted.kind, []):
        if each.get("Id") == wanted.entry["Id"] and _lowercase_rule_names(each) != expected:
            yield f"notification {wanted.entry['Id']} differs"


def add_notification(configuration: Document, wanted: BucketNotification) -> dict[str, Any]:
    """Return *configuration* with our entry."""
    if wanted.kind == _EVENTBRIDGE:
        return {**configuration, _EVENTBRIDGE: {}}
    others = _other_entries(configuration, wanted)
    return {**configuration, wanted.kind: [*others, dict(wanted.entry)]}


def remove_notification(configuration: Document, wanted: BucketNotification) -> dict[str, Any]:
    """Return *configuration* without our entry; EventBridge stays on, for others may have rules."""
    if wanted.kind == _EVENTBRIDGE:
        return dict(configuration)
    others = _other_entries(configuration, wanted)
    rest = {name: value for name, value in configuration.items() if name != wanted.kind}
    return {**rest, wanted.kind: others} if others else rest


def _other_entries(configuration: Document, wanted: BucketNotification) -> list[Document]:
    entries = configuration.get(wanted.kind, [])
    return [each for each in entries if each.get("Id") != wanted.entry["Id"]]


def _lowercase_rule_names(entry: Document) -> Any:
    """Return *entry* with the names of its filter rules in lower case; S3 may capitalize them."""
    text = json.dumps(entry)
    for name in ("prefix", "suffix"):
        text = text.replace(f'"{name.title()}"', f'"{name}"')
    return _normalize(json.loads(text))
