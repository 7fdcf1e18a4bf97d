"""Compares the log files in the bucket with the messages in the queue.

One without the other shows where records stop.  The advice keeps the manual's order for a source
that receives no logs: the policies, the region, whether logs exist, whether the source's region is
the bucket's.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from trailcourier.doctor import broker, bucket, newest_log, prerequisites, queue, trails
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.text import age

JUST_NOW = 900  # seconds; a newer file may not have passed the line yet
KINDS = ("", "NotVisible", "Delayed")
IN_ORDER = (  # the manual's, for a source that receives no logs
    "Check in this order: the policies (TC3, TC6); the queue's region (TC302); whether log files "
    "exist in the bucket (TC605; TC5 shows whether a trail writes them); whether the source's "
    "region is the bucket's (TC602)."
)

ENTRIES: Entries = {
    "TC700": CatalogueEntry(
        "Do log files and messages match?",
        ("ok", "not-checked"),
        "The bucket holds log files, and messages about them arrive. Not checked after an earlier "
        "error, which would be the cause, nor in the first 15 minutes of a trail.",
    ),
    "TC701": CatalogueEntry(
        "Are there log files but no messages?",
        ("error",),
        "CloudTrail writes log files, but nothing notifies this queue of them, or another reader "
        "takes the messages. Check the subscription and the policies (TC4). After the repair, "
        "only new files are announced.",
    ),
    "TC702": CatalogueEntry(
        "Are there messages but no log files?",
        ("error",),
        "The messages name another bucket than the one checked, or a lifecycle rule deletes files "
        "before they are read.",
    ),
    "TC703": CatalogueEntry(
        "Are there neither log files nor messages?",
        ("error",),
        f"Nothing arrives. {IN_ORDER}",
    ),
}


class Facts(msgspec.Struct, frozen=True):
    """The facts that are compared; times are seconds ago, None for never.

    *newest* is the newest log file, *settled* the newest that is old enough to have been announced;
    *messages* counts those that wait or are under lease.  *delivered* is the last delivery, *known*
    whether a ledger could be read for it.  *kept* is the queue's message retention, *begun* when
    the first of the trails began to log, if known.
    """

    newest: float | None
    settled: float | None
    messages: int
    delivered: float | None
    known: bool
    kept: float
    begun: float | None = None


@prerequisites.skip_after_errors("TC", reports="TC700")
def check_traffic(subject: Subject) -> Iterator[Finding]:
    """Compare the log files in the bucket with the messages in the queue."""
    facts = _collect_facts(subject)
    if isinstance(facts, str):
        text = f"log files and messages were not compared: {facts}"
        yield Finding("not-checked", "TC700", text, "Repair the finding that it names first.")
        return
    yield judge(facts)


def _collect_facts(subject: Subject) -> Facts | str:
    """Return the facts, or a text that says which one is not known, with its finding."""
    answer, state = queue.ask_attributes(subject), broker.read_source_state(subject)
    if not answer.good:
        return "how many messages wait is not known (TC306)"
    ages = log_ages(subject)
    if isinstance(ages, str):
        return ages
    attributes = queue.read_attributes(subject)
    counts = [attributes.number(f"ApproximateNumberOfMessages{name}") for name in KINDS]
    if counts[0] is None:
        return "how many messages wait is not known (TC311)"
    waiting = sum(each or 0 for each in counts)
    return Facts(
        newest=min(ages, default=None),
        settled=settled_age(ages),
        messages=waiting + (state.standing.messages if state else 0),
        delivered=state.standing.last_success_seconds if state else None,
        known=state is not None,
        kept=attributes.number("MessageRetentionPeriod") or 0,
        begun=max(trails.logging_ages(subject), default=None),
    )


def log_ages(subject: Subject) -> list[float] | str:
    """Return how many seconds old the newest log files are, or why that is not known."""
    places = bucket.find_buckets(subject)
    if not places:
        return "no bucket is known (TC601)"
    found = [newest_log.find_newest_logs(subject, place.name, place.region) for place in places]
    if any(each.failure is not None for each in found):
        return "which log files the bucket holds is not known (TC604)"
    now = datetime.now(UTC)
    return [(now - file.modified).total_seconds() for each in found for file in each.newest]


def settled_age(ages: Sequence[float]) -> float | None:
    """Return the lowest of *ages* by which a file has been announced, or None."""
    return min((each for each in ages if each > JUST_NOW), default=None)


def judge(facts: Facts) -> Finding:
    """Return the finding for *facts*."""
    messages = f"messages that wait or are under lease: {facts.messages}"
    if facts.newest is None and facts.messages:
        fix = "Add the bucket that the messages name to `buckets`: `trailcourier quarantine list`."
        return Finding("error", "TC702", f"the bucket holds no log file; {messages}", fix)
    if facts.newest is None:
        return _judge_nothing(facts.begun)
    newest = f"the newest log file is {age(facts.newest)} old"
    if facts.messages:
        return Finding("ok", "TC700", f"{newest}; {messages}")
    if _was_delivered(facts):
        return Finding("ok", "TC700", f"{newest}; the last delivery was {age(facts.delivered)} ago")
    if facts.settled is None or facts.settled > facts.kept or not facts.known:
        text = f"{newest} and no message waits: whether the queue gets messages is not known"
        return Finding("not-checked", "TC700", text, "Run doctor again when a file is 15 min old.")
    last = "never" if facts.delivered is None else f"{age(facts.delivered)} ago"
    text = (
        f"a log file is {age(facts.settled)} old, no message waits, and the last delivery: {last}"
    )
    fix = (
        "Check that the topic reaches the queue (TC4), and that nobody else reads this queue. Only "
        "files written after the repair are announced."
    )
    return Finding("error", "TC701", text, fix)


def _judge_nothing(begun: float | None) -> Finding:
    text = "the bucket holds no log file and the queue no message"
    if begun is not None and begun < JUST_NOW:
        text = f"{text}, and the trail began to log only {age(begun)} ago"
        fix = "Run doctor again when it is 15 min old: the first file takes that long."
        return Finding("not-checked", "TC700", text, fix)
    return Finding("error", "TC703", text, IN_ORDER)


def _was_delivered(facts: Facts) -> bool:
    """Return whether the last delivery came after the newest file, or shortly before it."""
    newest, delivered = facts.newest, facts.delivered
    return newest is not None and delivered is not None and delivered <= newest + JUST_NOW
