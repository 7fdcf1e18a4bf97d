"""From the bucket to the queue without a topic: by S3's own notifications, or by EventBridge."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.doctor import bucket, logs, order, queue, trails, trouble
from trailcourier.doctor.bucket import Place
from trailcourier.doctor.finding import Entries, Entry, Finding, Level
from trailcourier.doctor.subject import Subject

BRIDGE = "EventBridgeConfiguration"

TOLD: Entries = {
    "TC408": Entry(
        "Does the bucket announce to the queue by itself?",
        ("ok", "unproved", "warning", "error"),
        "Told where the queue's policy lets S3 or EventBridge send. The bucket's notifications "
        "have to name the queue, for created objects and the names that log files have, or hand "
        "over to EventBridge; that its rule is on and sends here is not looked at "
        "(`aws events list-targets-by-rule`).",
    ),
}


@order.after(*order.KEYS, "TC301", "TC302", says="TC408")
def look(subject: Subject) -> Iterator[Finding]:
    """Look whether the buckets that may send to the queue do."""
    senders = trails.senders(subject)
    straight, rules = senders.get("s3", set()), senders.get("events", set())
    level: Level = "warning" if senders.get("sns") else "error"
    for place in bucket.places(subject):
        if rules or bucket.arn(subject, place.name) in straight:
            yield _place(subject, place, sorted(rules), level)


def _place(subject: Subject, place: Place, rules: Sequence[str], level: Level) -> Finding:
    answer = bucket.notified(subject, place)
    if not answer.good:
        lost = "whether the bucket announces its log files to the queue is not seen"
        return trouble.unseen(subject, answer, "TC408", lost)
    ours = _to_queue(subject, answer.said)
    if not ours and rules and BRIDGE in answer.said:
        text = f"{place.name} tells EventBridge; that {rules[0]} is on and sends here is not seen"
        fix = "`aws events describe-rule` and `list-targets-by-rule` show it."
        return Finding("unproved", "TC408", text, fix)
    if not ours:
        whom = "EventBridge" if rules else "this queue"
        text = f"the notifications of {place.name} name no created objects for {whom}"
        fix = "Add them: `trailcourier setup apply` with --delivery s3 or eventbridge does."
        return Finding(level, "TC408", text, fix)
    return _filtered(subject, place, ours)


def _to_queue(subject: Subject, said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the notifications of new objects that go to the source's queue."""
    arn = queue.said(subject).arn(subject)
    return [
        each
        for each in said.get("QueueConfigurations", [])
        if each["QueueArn"] == arn
        and any(event.startswith("s3:ObjectCreated:") for event in each["Events"])
    ]


def _filtered(subject: Subject, place: Place, ours: Sequence[Mapping[str, Any]]) -> Finding:
    newest = logs.recent(subject, place.name, place.region).newest
    if newest and not any(_lets(each, newest[0].key) for each in ours):
        text = f"the notifications of {place.name} leave out log files such as {newest[0].key}"
        return Finding("error", "TC408", text, "Correct their prefix and suffix.")
    return Finding("ok", "TC408", f"{place.name} announces new log files to this queue")


def _lets(notification: Mapping[str, Any], key: str) -> bool:
    rules = notification.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    given = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return key.startswith(given.get("prefix", "")) and key.endswith(given.get("suffix", ""))
