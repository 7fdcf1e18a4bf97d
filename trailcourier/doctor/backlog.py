"""What lies in the queue: how much of it, and for how long the oldest has."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trailcourier import expiry
from trailcourier.doctor import broker, order, queue, trouble
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.call import Call
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.models import QueueLimits
from trailcourier.printable import age

COUNT, KINDS = "ApproximateNumberOfMessages", ("", "NotVisible", "Delayed")
MOST_IN_FLIGHT = 120_000  # SQS hands out no more than about so many
LATE = 3600  # seconds; a line that keeps up takes a message within some minutes
LOOK_BACK = timedelta(minutes=30)
PERIOD = 300  # seconds; SQS tells CloudWatch once a minute
KEEP_LONGER = "`trailcourier status` says what holds it up; until then let the queue keep 14 days."

TOLD: Entries = {
    "TC311": Entry(
        "How much waits?",
        ("ok", "unproved", "warning"),
        "What SQS has to give, what is received and not settled, and the age of the oldest that "
        "the line holds. Messages that were left to the queue, which hides them, are a warning.",
    ),
    "TC312": Entry(
        "How long has the oldest waited?",
        ("ok", "unproved", "warning"),
        "Asked where anything waits. SQS tells it CloudWatch alone (the metric "
        "`ApproximateAgeOfOldestMessage`), some minutes late and only for queues in use. What "
        "waits for longer than the queue keeps it is gone; half of that is a warning.",
    ),
    "TC313": Entry(
        "How often were messages received?",
        ("ok", "warning"),
        "The highest receive count of a message that the line holds, beside the queue's "
        "`maxReceiveCount`. An outage costs one receive in twelve hours, and after the last one a "
        "good message moves to the dead-letter queue. Half of them is a warning.",
    ),
}


@order.after(*order.KEYS, "TC301", "TC302", says="TC311")
def look(subject: Subject) -> Iterator[Finding]:
    """Look what lies in the queue."""
    if not queue.attributes(subject).good:  # TC306 says so
        return
    said = queue.said(subject)
    kept, visible = said.number("MessageRetentionPeriod"), said.number(COUNT)
    yield _depth(subject, said, kept)
    if visible != 0:
        yield _oldest(subject, kept)
    if most := said.table("RedrivePolicy").get("maxReceiveCount"):
        yield from _receives(subject, str(most))


def _depth(subject: Subject, said: Attributes, kept: int | None) -> Finding:
    line = broker.line(subject)
    oldest = line.standing.oldest_seconds if line else None
    visible, flying, delayed = (said.number(f"{COUNT}{each}") for each in KINDS)
    held = f"; the oldest that the line holds was sent {age(oldest)} ago"
    if visible is None:
        text = "the queue does not say how much waits in it"
        text = text if oldest is None else f"{text}{held}"
        return Finding("unproved", "TC311", text, "AWS's own SQS says it.")
    text = f"{visible} wait, {flying or 0} are received and not settled, {delayed or 0} delayed"
    if oldest is not None:
        text = f"{text}{held}"
    if (flying or 0) > MOST_IN_FLIGHT * 0.9:
        fix = "See what takes messages and does not settle them: another collector on this queue?"
        return Finding("warning", "TC311", f"{text}: SQS hands out no more than 120,000", fix)
    if line and (left := line.standing.left.messages):
        text = f"{text}; the queue hides {left} left to it, as too much of their bucket is parked"
        return Finding("warning", "TC311", text, "`trailcourier status` says what to repair.")
    if oldest and kept and _soon_gone(oldest, kept):
        return Finding("warning", "TC311", f"{text}, and the queue keeps {age(kept)}", KEEP_LONGER)
    return Finding("ok", "TC311", text)


def _soon_gone(waited: float, kept: int) -> bool:
    return waited >= kept * expiry.HALF


def _receives(subject: Subject, most: str) -> Iterator[Finding]:
    """Yield how near the messages that the line holds are to the dead-letter queue."""
    line = broker.line(subject)
    if line is None or not most.isdecimal():
        return
    limits = QueueLimits(receives=int(most))
    for warning in expiry.warnings(limits, line.standing.receives, None):
        yield Finding("warning", "TC313", warning, "`trailcourier status` says what holds it up.")
        return
    text = f"no message that the line holds was received more than {line.standing.receives} times"
    yield Finding("ok", "TC313", f"{text}, of {most}")


def _oldest(subject: Subject, kept: int | None) -> Finding:
    answer = subject.ask_once(_asking(subject))
    if not answer.good:
        lost = "how long the oldest message has waited is not seen"
        return trouble.unseen(subject, answer, "TC312", lost)
    points: list[Mapping[str, Any]] = answer.said.get("Datapoints", [])
    if not points:
        text = "CloudWatch does not know yet how long the oldest message has waited"
        return Finding("unproved", "TC312", text, "A queue in use is known after some minutes.")
    waited = float(max(points, key=lambda each: each["Timestamp"])["Maximum"])
    text = f"the oldest message has waited {age(waited)}"
    if kept and _soon_gone(waited, kept):
        text = f"{text}, and the queue keeps it {age(kept)}"
        return Finding("warning", "TC312", text, KEEP_LONGER)
    if waited > LATE:
        fix = "`trailcourier status` says what holds it up; if nothing does, add object workers."
        return Finding("warning", "TC312", text, fix)
    return Finding("ok", "TC312", text)


def _asking(subject: Subject) -> Call:
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
    region, action = subject.source.queue.region, "cloudwatch:GetMetricStatistics"
    return Call("cloudwatch", "get_metric_statistics", region, action, "*", given)
