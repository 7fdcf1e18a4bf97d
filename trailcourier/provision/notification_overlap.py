"""Notifications of a bucket that exclude ours: S3 takes no two for the same objects; pure.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.provision.merge_rules import Document

_KINDS = {
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}


def list_overlaps(entry: Document, configuration: Document) -> Iterator[str]:
    """Yield the ARN that each notification sends to which overlaps with our *entry*."""
    for kind, target in _KINDS.items():
        for other in configuration.get(kind, []):
            if other.get("Id") != entry["Id"] and _overlap(entry, other):
                yield str(other[target])


def _overlap(one: Document, other: Document) -> bool:
    events = any(_share(a, b) for a in one["Events"] for b in other.get("Events", []))
    first, second = _filter(one), _filter(other)
    prefixes, suffixes = ((first[name], second[name]) for name in ("prefix", "suffix"))
    return events and _one_begins(*prefixes) and _one_begins(*(each[::-1] for each in suffixes))


def _share(one: str, other: str) -> bool:
    """Return whether two event types have a type in common: ``s3:ObjectCreated:*`` and its own."""
    return _one_begins(one.removesuffix("*"), other.removesuffix("*"))


def _one_begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _filter(configuration: Mapping[str, Any]) -> dict[str, str]:
    rules: Sequence[Mapping[str, str]] = (
        configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    )
    found = {each["Name"].lower(): each["Value"] for each in rules}
    return {"prefix": found.get("prefix", ""), "suffix": found.get("suffix", "")}
