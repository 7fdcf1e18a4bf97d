"""What lies in the queue: how much of it, and for how long the oldest has."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trailcourier.doctor import broker, order, queue, trouble
from trailcourier.doctor.call import Call
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.printable import age

MOST_IN_FLIGHT = 120_000  # SQS hands out no more than about so many
LATE = 3600  # seconds; a line that keeps up takes a message within some minutes
LOOK_BACK = timedelta(minutes=30)
PERIOD = 300  # seconds; SQS tells CloudWatch once a minute
KEEP_LONGER = "`trailcourier status` says what holds it up; until then let the queue keep 14 days."

TOLD: Entries = {
    "TC311": Entry(
        "How much waits?",
        ("ok", "warning"),
        "What SQS has to give, what is received and not settled, and the age of the oldest that "
        "the line holds.",
    ),
    "TC312": Entry(
        "How long has the oldest waited?",
        ("ok", "unproved", "warning"),
        "Asked where anything waits. SQS tells it CloudWatch alone (the metric "
        "`ApproximateAgeOfOldestMessage`), some minutes late and only for queues in use. What "
        "waits for longer than the queue keeps it is gone.",
    ),
}


@order.after(*order.KEYS, "TC301", "TC302", says="TC311")
def look(subject: Subject) -> Iterator[Finding]:
    """Look what lies in the queue."""
    seen = queue.attributes(subject)
    if not seen.good:  # TC306 says so
        return
    said: Mapping[str, str] = seen.said["Attributes"]
    kept = int(said.get("MessageRetentionPeriod", 0))
    yield _depth(subject, said, kept)
    if int(said.get("ApproximateNumberOfMessages", 0)):
        yield _oldest(subject, kept)


def _depth(subject: Subject, said: Mapping[str, str], kept: int) -> Finding:
    visible, flying, delayed = (
        int(said.get(f"ApproximateNumberOfMessages{each}", 0))
        for each in ("", "NotVisible", "Delayed")
    )
    line = broker.line(subject)
    oldest = line.standing.oldest_seconds if line else None
    text = f"{visible} wait, {flying} are received and not settled, {delayed} delayed"
    if oldest is not None:
        text = f"{text}; the oldest that the line holds was sent {age(oldest)} ago"
    if flying > MOST_IN_FLIGHT * 0.9:
        fix = "See what takes messages and does not settle them: another collector on this queue?"
        return Finding("warning", "TC311", f"{text}: SQS hands out no more than 120,000", fix)
    if oldest and _soon_gone(oldest, kept):
        return Finding("warning", "TC311", f"{text}, and the queue keeps {age(kept)}", KEEP_LONGER)
    return Finding("ok", "TC311", text)


def _soon_gone(waited: float, kept: int) -> bool:
    return bool(kept) and waited > kept * 0.75


def _oldest(subject: Subject, kept: int) -> Finding:
    answer = subject.ask_once(_asking(subject))
    if not answer.good:
        lost = "how long the oldest message has waited is not seen"
        return trouble.unseen(subject, answer, "TC312", lost)
    points: list[Mapping[str, Any]] = answer.said["Datapoints"]
    if not points:
        text = "CloudWatch does not know yet how long the oldest message has waited"
        return Finding("unproved", "TC312", text, "A queue in use is known after some minutes.")
    waited = float(max(points, key=lambda each: each["Timestamp"])["Maximum"])
    text = f"the oldest message has waited {age(waited)}"
    if _soon_gone(waited, kept):
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
