"""The messages in the queue: how many there are, and the age of the oldest."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import aws_findings, broker, prerequisites, queue
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.models import QueueLimits
from trailcourier.operations import expiry
from trailcourier.text import age

COUNT, KINDS = "ApproximateNumberOfMessages", ("", "NotVisible", "Delayed")
MOST_IN_FLIGHT = 120_000  # the quota of a standard queue, approximately
LATE = 3600  # seconds; a line that keeps up receives a message within minutes
LOOK_BACK = timedelta(minutes=30)
PERIOD = 300  # seconds; SQS reports to CloudWatch once a minute
KEEP_LONGER = (
    "`trailcourier status` shows what delays it; until that is repaired, set the queue's message "
    "retention to 14 days."
)

ENTRIES: Entries = {
    "TC311": CatalogueEntry(
        "How many messages wait?",
        ("ok", "not-checked", "warning"),
        "The messages that SQS can deliver, those received and not settled, and the age of the "
        "oldest one under lease. Messages that the line hid in the queue, because too many objects "
        "of their bucket are parked, are a warning.",
    ),
    "TC312": CatalogueEntry(
        "How long has the oldest waited?",
        ("ok", "not-checked", "warning"),
        "Checked if messages wait. SQS reports this age only to CloudWatch (the metric "
        "`ApproximateAgeOfOldestMessage`), some minutes late and only for queues in use. SQS "
        "drops a message that is older than the queue's retention; half of it is a warning.",
    ),
    "TC313": CatalogueEntry(
        "How often were messages received?",
        ("ok", "warning"),
        "The highest receive count of a message under lease, compared with the queue's "
        "`maxReceiveCount`. An outage costs one receive in twelve hours; beyond the limit SQS "
        "moves even a good message to the dead-letter queue. Half of the limit is a warning.",
    ),
}


@prerequisites.skip_after_errors(*prerequisites.QUEUE_ERRORS, reports="TC311")
def check_backlog(subject: Subject) -> Iterator[Finding]:
    """Check how many messages the queue has, how old they are, and how often it sent them."""
    if not queue.ask_attributes(subject).good:  # TC306 reports it
        return
    attributes = queue.read_attributes(subject)
    kept, visible = attributes.number("MessageRetentionPeriod"), attributes.number(COUNT)
    yield _depth(subject, attributes, kept)
    if visible != 0:
        yield _oldest(subject, kept)
    if most := attributes.table("RedrivePolicy").get("maxReceiveCount"):
        yield from _receives(subject, str(most))


def _depth(subject: Subject, attributes: Attributes, kept: int | None) -> Finding:
    line = broker.read_source_state(subject)
    oldest = line.standing.oldest_seconds if line else None
    visible, in_flight, delayed = (attributes.number(f"{COUNT}{each}") for each in KINDS)
    held = f"; the oldest message under lease was sent {age(oldest)} ago"
    if visible is None:
        text = f"the queue does not report {COUNT}"
        text = text if oldest is None else f"{text}{held}"
        fix = "Ask whoever runs this service for it; AWS's SQS reports it."
        return Finding("not-checked", "TC311", text, fix)
    text = (
        f"messages: {visible} waiting, {in_flight or 0} received and not settled, "
        f"{delayed or 0} delayed"
    )
    if oldest is not None:
        text = f"{text}{held}"
    if (in_flight or 0) > MOST_IN_FLIGHT * 0.9:
        text = f"{text}; SQS stops delivering at 120,000 received and not deleted"
        fix = "Find what receives messages and does not delete them: another reader of this queue?"
        return Finding("warning", "TC311", text, fix)
    if line and (left := line.standing.left.messages):
        text = f"{text}; {left} hidden in the queue: too many objects of their bucket are parked"
        return Finding("warning", "TC311", text, "`trailcourier status` shows what to repair.")
    if oldest and kept and _expires_soon(oldest, kept):
        text = f"{text}, and the queue keeps messages for {age(kept)}"
        return Finding("warning", "TC311", text, KEEP_LONGER)
    return Finding("ok", "TC311", text)


def _expires_soon(waited: float, kept: int) -> bool:
    return waited >= kept * expiry.HALF


def _receives(subject: Subject, most: str) -> Iterator[Finding]:
    """Check how near the messages under lease are to the dead-letter queue."""
    line = broker.read_source_state(subject)
    if line is None or not most.isdecimal():
        return
    limits = QueueLimits(receives=int(most))
    for warning in expiry.warnings(limits, line.standing.receives, None):
        yield Finding("warning", "TC313", warning, "`trailcourier status` shows what delays them.")
        return
    text = f"no message under lease was received more than {line.standing.receives} times"
    yield Finding("ok", "TC313", f"{text}; maxReceiveCount is {most}")


def _oldest(subject: Subject, kept: int | None) -> Finding:
    answer = _ask_oldest_age(subject)
    if not answer.good:
        lost = "the age of the oldest message is not known"
        return aws_findings.not_seen_finding(subject, answer, "TC312", lost)
    waited = oldest_age(subject)
    if waited is None:
        text = "CloudWatch has no age of the oldest message yet"
        return Finding("not-checked", "TC312", text, "Run doctor again when the queue is in use.")
    text = f"the oldest message has waited {age(waited)}"
    if kept and _expires_soon(waited, kept):
        text = f"{text}, and the queue keeps messages for {age(kept)}"
        return Finding("warning", "TC312", text, KEEP_LONGER)
    if waited > LATE:
        fix = "`trailcourier status` shows what delays it; if nothing does, add object workers."
        return Finding("warning", "TC312", text, fix)
    return Finding("ok", "TC312", text)


def oldest_age(subject: Subject) -> float | None:
    """Return how many seconds the oldest message has waited, by CloudWatch; None if not known."""
    answer = _ask_oldest_age(subject)
    points: list[Mapping[str, Any]] = answer.response.get("Datapoints", []) if answer.good else []
    newest = max(points, key=lambda each: each["Timestamp"], default=None)
    return None if newest is None else float(newest["Maximum"])


def _ask_oldest_age(subject: Subject) -> AwsAnswer:
    call = _oldest_age_call(subject)  # of this moment, so the answer is kept by name
    return subject.cache.get("oldest message", lambda: subject.ask_once(call))


def _oldest_age_call(subject: Subject) -> AwsCall:
    now = datetime.now(UTC)
    given = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": subject.source.queue.name}],
        "StartTime": now - LOOK_BACK,
        "EndTime": now,
        "Period": PERIOD,
        "Statistics": ["Maximum"],
    }
    return AwsCall("cloudwatch", "GetMetricStatistics", subject.source.queue.region, "*", given)
