"""Documents that others edit too: policies and a bucket's notification configuration.

Pure. Our entries are known by their Sid or Id; all other entries stay unchanged and in order.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jmespath
import msgspec

from trailcourier.provision import merge_rules
from trailcourier.provision.merge_rules import EVENTBRIDGE, VERSION, Document


def policy_document(statements: Sequence[Document]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": [dict(each) for each in statements]}


class Statements(msgspec.Struct, frozen=True):
    """The policy at JMESPath *at* holds these statements, known by Sid, among any others."""

    at: str
    statements: tuple[Document, ...]

    def find(self, response: Document) -> dict[str, Any]:
        """Return the policy in AWS's *response*."""
        return merge_rules.parse_policy(jmespath.search(self.at, response))

    def is_in(self, policy: Document) -> bool:
        """Return whether *policy* holds at least one of our statements, changed or not."""
        ours = {each["Sid"] for each in self.statements}
        return any(each.get("Sid") in ours for each in merge_rules.list_statements(policy))

    def differences(self, policy: Document) -> Iterator[str]:
        """Yield a text for each of our statements that is missing or differs."""
        return merge_rules.find_statement_differences(self.statements, policy)

    def add_to(self, policy: Document) -> dict[str, Any]:
        """Return *policy* with our statements: each replaces the one with its Sid, or is last."""
        return merge_rules.add_statements(self.statements, policy)

    def remove_from(self, policy: Document) -> dict[str, Any] | None:
        """Return *policy* without our statements; None if no statement remains."""
        ours = {each["Sid"] for each in self.statements}
        statements = merge_rules.list_statements(policy)
        kept = [each for each in statements if each.get("Sid") not in ours]
        return {**policy, "Statement": kept} if kept else None


class BucketNotification(msgspec.Struct, frozen=True):
    """The bucket's notification configuration holds this entry, known by Id, among any others."""

    kind: str  # QueueConfigurations, or EventBridgeConfiguration
    entry: Document

    @property
    def has_filter(self) -> bool:
        """Whether S3 compares it with other notifications; what EventBridge gets has no filter."""
        return self.kind != EVENTBRIDGE

    def find(self, response: Document) -> Document:
        """Return the configuration in AWS's *response*."""
        return response

    def is_in(self, configuration: Document) -> bool:
        """Return whether *configuration* has our entry, changed or not."""
        return merge_rules.has_notification(self.kind, self.entry, configuration)

    def differences(self, configuration: Document) -> Iterator[str]:
        """Yield a text if our entry exists and differs."""
        return merge_rules.find_notification_differences(self.kind, self.entry, configuration)

    def add_to(self, configuration: Document) -> dict[str, Any]:
        """Return *configuration* with our entry."""
        return merge_rules.add_notification(self.kind, self.entry, configuration)

    def remove_from(self, configuration: Document) -> dict[str, Any]:
        """Return *configuration* without our entry; EventBridge stays on: others may have rules."""
        if self.kind == EVENTBRIDGE:
            return dict(configuration)
        others = merge_rules.list_other_notifications(self.kind, self.entry, configuration)
        rest = {name: value for name, value in configuration.items() if name != self.kind}
        return {**rest, self.kind: others} if others else rest
