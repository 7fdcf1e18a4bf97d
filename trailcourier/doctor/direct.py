"""Notifications from the bucket to the queue without a topic: by S3 itself or by EventBridge."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.doctor import (
    aws_findings,
    bucket,
    event_rules,
    newest_log,
    prerequisites,
    queue,
    trails,
)
from trailcourier.doctor.bucket import BucketLocation
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding, Level
from trailcourier.doctor.subject import Subject

BRIDGE = "EventBridgeConfiguration"

ENTRIES: Entries = {
    "TC408": CatalogueEntry(
        "Does the bucket notify the queue directly?",
        ("ok", "not-checked", "warning", "error"),
        "Checked if the queue's policy lets S3 or EventBridge send. The bucket's notification "
        "configuration has to name the queue for created objects, with a prefix and suffix that "
        "match log files, or has to have EventBridge on; the EventBridge rule has to be enabled, "
        "and has to target the queue.",
    ),
}


@prerequisites.skip_after_errors(*prerequisites.QUEUE_ERRORS, reports="TC408")
def check_direct_notifications(subject: Subject) -> Iterator[Finding]:
    """Check whether the buckets that may send to the queue are configured to do so."""
    senders = trails.queue_senders(subject)
    buckets, rules = senders.get("s3", set()), senders.get("events", set())
    level: Level = "warning" if senders.get("sns") else "error"
    for place in bucket.find_buckets(subject):
        if rules or subject.bucket_arn(place.name) in buckets:
            yield _check_bucket(subject, place, sorted(rules), level)


def _check_bucket(
    subject: Subject, place: BucketLocation, rules: Sequence[str], level: Level
) -> Finding:
    answer = bucket.ask_notifications(subject, place)
    if not answer.good:
        lost = "whether the bucket notifies the queue of its log files is not known"
        return aws_findings.not_seen_finding(subject, answer, "TC408", lost)
    ours = _to_queue(subject, answer.response)
    if not ours and rules and BRIDGE in answer.response:
        return event_rules.check_rules(subject, rules, level)
    if not ours:
        target = "EventBridge" if rules else "this queue"
        text = f"{place.name} does not notify {target} of created objects"
        fix = "Configure it: `trailcourier setup apply --delivery s3` or `eventbridge` does."
        return Finding(level, "TC408", text, fix)
    return _check_filters(subject, place, ours)


def _to_queue(subject: Subject, response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the configured notifications of created objects that go to the source's queue."""
    arn = queue.read_attributes(subject).arn(subject)
    return [
        each
        for each in response.get("QueueConfigurations", [])
        if each["QueueArn"] == arn
        and any(event.startswith("s3:ObjectCreated:") for event in each["Events"])
    ]


def _check_filters(
    subject: Subject, place: BucketLocation, ours: Sequence[Mapping[str, Any]]
) -> Finding:
    newest = newest_log.find_newest_logs(subject, place.name, place.region).newest
    if newest and not any(_matches(each, newest[0].key) for each in ours):
        text = f"the notifications of {place.name} exclude log files such as {newest[0].key}"
        return Finding("error", "TC408", text, "Correct the prefix and suffix in their filters.")
    return Finding("ok", "TC408", f"{place.name} notifies this queue of new log files")


def _matches(notification: Mapping[str, Any], key: str) -> bool:
    rules = notification.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    wanted = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return key.startswith(wanted.get("prefix", "")) and key.endswith(wanted.get("suffix", ""))
