"""Documents that others edit too: policies and a bucket's notification configuration.

Pure. Our entries are known by their Sid or Id; all other entries stay unchanged and in order.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jmespath
import msgspec

Document = Mapping[str, Any]
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


class Statements(msgspec.Struct, frozen=True):
    """The policy at JMESPath *at* holds these statements, known by Sid, among any others."""

    at: str
    statements: tuple[Document, ...]

    def find(self, response: Document) -> dict[str, Any]:
        """Return the policy in AWS's *response*."""
        return parse_policy(jmespath.search(self.at, response))

    def is_in(self, policy: Document) -> bool:
        """Return whether *policy* holds at least one of our statements, changed or not."""
        ours = {each["Sid"] for each in self.statements}
        return any(each.get("Sid") in ours for each in list_statements(policy))

    def differences(self, policy: Document) -> Iterator[str]:
        """Yield a text for each of our statements that is missing or differs."""
        existing = {each.get("Sid"): each for each in list_statements(policy)}
        for each in self.statements:
            statement = existing.get(each["Sid"])
            if statement is None:
                yield f"statement {each['Sid']} is missing"
            elif not is_equivalent(statement, each):
                yield f"statement {each['Sid']} differs"

    def add_to(self, policy: Document) -> dict[str, Any]:
        """Return *policy* with our statements: each replaces the one with its Sid, or is last."""
        ours = {each["Sid"]: dict(each) for each in self.statements}
        kept = [ours.pop(each.get("Sid"), each) for each in list_statements(policy)]
        return {"Version": VERSION, **policy, "Statement": [*kept, *ours.values()]}

    def remove_from(self, policy: Document) -> dict[str, Any] | None:
        """Return *policy* without our statements; None if no statement remains."""
        ours = {each["Sid"] for each in self.statements}
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


class BucketNotification(msgspec.Struct, frozen=True):
    """The bucket's notification configuration holds this entry, known by Id, among any others."""

    kind: str  # QueueConfigurations, or EventBridgeConfiguration
    entry: Document

    def find(self, response: Document) -> Document:
        """Return the configuration in AWS's *response*."""
        return response

    def is_in(self, configuration: Document) -> bool:
        """Return whether *configuration* has our entry, changed or not."""
        if self.kind == _EVENTBRIDGE:
            return _EVENTBRIDGE in configuration
        return any(each.get("Id") == self.entry["Id"] for each in configuration.get(self.kind, []))

    def differences(self, configuration: Document) -> Iterator[str]:
        """Yield a text if our entry exists and differs."""
        if self.kind == _EVENTBRIDGE:
            return
        expected = _lowercase_rule_names(self.entry)
        for each in configuration.get(self.kind, []):
            if each.get("Id") == self.entry["Id"] and _lowercase_rule_names(each) != expected:
                yield f"notification {self.entry['Id']} differs"

    def add_to(self, configuration: Document) -> dict[str, Any]:
        """Return *configuration* with our entry."""
        if self.kind == _EVENTBRIDGE:
            return {**configuration, _EVENTBRIDGE: {}}
        return {**configuration, self.kind: [*self._others(configuration), dict(self.entry)]}

    def remove_from(self, configuration: Document) -> dict[str, Any]:
        """Return *configuration* without our entry; EventBridge stays on: others may have rules."""
        if self.kind == _EVENTBRIDGE:
            return dict(configuration)
        others = self._others(configuration)
        rest = {name: value for name, value in configuration.items() if name != self.kind}
        return {**rest, self.kind: others} if others else rest

    def _others(self, configuration: Document) -> list[Document]:
        entries = configuration.get(self.kind, [])
        return [each for each in entries if each.get("Id") != self.entry["Id"]]


def _lowercase_rule_names(entry: Document) -> Any:
    """Return *entry* with the names of its filter rules in lower case; S3 may capitalize them."""
    text = json.dumps(entry)
    for name in ("prefix", "suffix"):
        text = text.replace(f'"{name.title()}"', f'"{name}"')
    return _normalize(json.loads(text))
