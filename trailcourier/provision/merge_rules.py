"""Whose a resource is, how it differs from the plan, and what is merged into it; pure.

`setup apply` uses these rules, and the exported script contains this source, so that both decide
alike. That is why it needs nothing but Python 3.7 and its standard library.
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Iterator, Mapping, Sequence  # noqa: UP035 - Python 3.7

TAG = "trailcourier"  # the key of our tag; its value is the set-up's name
GROUP_PATH = "/trailcourier/"  # the end of our IAM group's path; a group can carry no tag
VERSION = "2012-10-17"
EVENTBRIDGE = "EventBridgeConfiguration"
Document = Mapping[str, Any]

# parameters that AWS takes as JSON text and the plan holds as objects
JSON_TEXT_PARAMETERS = frozenset(
    {"Policy", "PolicyDocument", "AssumeRolePolicyDocument", "EventPattern", "AttributeValue"}
    | {"RedrivePolicy", "RedriveAllowPolicy"}
)


def encode_parameters(parameters: Document) -> dict[str, Any]:
    """Return *parameters* with documents as JSON text where AWS takes text."""
    return {name: _encode_parameter(name, value) for name, value in parameters.items()}


def _encode_parameter(name: str, value: Any) -> Any:
    if name in JSON_TEXT_PARAMETERS:
        return value if isinstance(value, str) else json.dumps(value)
    return encode_parameters(value) if isinstance(value, Mapping) else value


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


def find_statement_differences(ours: Sequence[Document], policy: Document) -> Iterator[str]:
    """Yield a text for each of our statements that is missing or differs."""
    existing = {each.get("Sid"): each for each in list_statements(policy)}
    for each in ours:
        statement = existing.get(each["Sid"])
        if statement is None:
            yield f"statement {each['Sid']} is missing"
        elif not is_equivalent(statement, each):
            yield f"statement {each['Sid']} differs"


def add_statements(ours: Sequence[Document], policy: Document) -> dict[str, Any]:
    """Return *policy* with our statements: each replaces the one with its Sid, or is last."""
    added = {each["Sid"]: dict(each) for each in ours}
    kept = [added.pop(each.get("Sid"), each) for each in list_statements(policy)]
    return {"Version": VERSION, **policy, "Statement": [*kept, *added.values()]}


def has_notification(kind: str, entry: Document, configuration: Document) -> bool:
    """Return whether the bucket's *configuration* has our *entry*, changed or not."""
    if kind == EVENTBRIDGE:
        return EVENTBRIDGE in configuration
    return any(each.get("Id") == entry["Id"] for each in configuration.get(kind, []))


def find_notification_differences(
    kind: str, entry: Document, configuration: Document
) -> Iterator[str]:
    """Yield a text if our *entry* exists and differs."""
    if kind == EVENTBRIDGE:
        return
    expected = _lowercase_rule_names(entry)
    for each in configuration.get(kind, []):
        if each.get("Id") == entry["Id"] and _lowercase_rule_names(each) != expected:
            yield f"notification {entry['Id']} differs"


def add_notification(kind: str, entry: Document, configuration: Document) -> dict[str, Any]:
    """Return *configuration* with our *entry*."""
    if kind == EVENTBRIDGE:
        return {**configuration, EVENTBRIDGE: {}}
    others = list_other_notifications(kind, entry, configuration)
    return {**configuration, kind: [*others, dict(entry)]}


def list_other_notifications(kind: str, entry: Document, configuration: Document) -> list[Document]:
    return [each for each in configuration.get(kind, []) if each.get("Id") != entry["Id"]]


def _lowercase_rule_names(entry: Document) -> Any:
    """Return *entry* with the names of its filter rules in lower case; S3 may capitalize them."""
    text = json.dumps(entry)
    for name in ("prefix", "suffix"):
        text = text.replace(f'"{name.title()}"', f'"{name}"')
    return _normalize(json.loads(text))


def find_differences(
    actual: Document, expected: Document, lenient: Iterable[str] = ()
) -> list[str]:
    """Return a text for each expected value that *actual* lacks or has otherwise.

    A *lenient* one counts only where *actual* has it.
    """
    differences = []
    empty: tuple[Any, ...] = (None, "", [], {})
    for name, value in expected.items():
        if name in lenient and name not in actual:
            continue
        found = actual.get(name)
        if isinstance(value, (Mapping, list)) and isinstance(found, str):
            found = json.loads(found) if found else None
        if not (found in empty and value in empty) and not is_equivalent(found, value):
            differences.append(f"{name} is {_shorten(found)}, expected {_shorten(value)}")
    return differences


def _shorten(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_equivalent(one: Any, other: Any) -> bool:
    """Return whether AWS treats the two values as the same."""
    return bool(_normalize(one) == _normalize(other))


def _normalize(value: Any) -> Any:
    """Return one form for what AWS may return in several.

    A list of one equals its element, the order of a list does not matter, and 10 equals "10".
    """
    if isinstance(value, Mapping):
        return {str(name): _normalize(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        elements = [_normalize(each) for each in value]
        return elements[0] if len(elements) == 1 else sorted(elements, key=_sort_key)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _is_our_group(answer: Document) -> bool:
    return "GroupName" in answer and str(answer.get("Path")).endswith(GROUP_PATH)


def has_our_tag(answer: Any, name: str) -> bool:
    """Return whether an answer of AWS holds our tag with *name*, or a group with our path.

    A group can carry no tag.
    """
    if isinstance(answer, Mapping):
        if answer.get(TAG) == name or _is_our_group(answer):
            return True
        for key, value in (("Key", "Value"), ("TagKey", "TagValue")):
            if answer.get(key) == TAG:
                return bool(answer.get(value) == name)
        return any(has_our_tag(each, name) for each in answer.values())
    return isinstance(answer, list) and any(has_our_tag(each, name) for each in answer)
