"""What lies in the bucket beside what comes through the queue: one without the other is the clue.

The order in which the manual looks when no logs come: the policy, the region, whether logs exist,
whether the region of the source is the bucket's.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from trailcourier.doctor import broker, bucket, logs, order, queue, trails
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.printable import age

JUST_NOW = 900  # seconds; what is newer may still be on its way through the line
KINDS = ("", "NotVisible", "Delayed")
IN_ORDER = (  # the manual's, for a source that receives no logs
    "Look in this order: whether the policies are right (TC3, TC6), whether the right region is "
    "asked (TC302), whether log files exist in the bucket (TC605; TC5 says whether a trail writes "
    "them), whether the source's region is the bucket's (TC602)."
)

TOLD: Entries = {
    "TC700": Entry(
        "Do files and messages go together?",
        ("ok", "unproved"),
        "Log files are in the bucket, and messages that announce them come. Not judged where an "
        "error was found before, for what is wrong here would only follow from it, nor in the "
        "first quarter of an hour of a trail.",
    ),
    "TC701": Entry(
        "Files, and no messages?",
        ("error",),
        "CloudTrail writes, and nothing announces it to this queue, or another reader takes the "
        "messages away. Look at TC4: the subscription and the policies. Only files written after "
        "the repair are announced.",
    ),
    "TC702": Entry(
        "Messages, and no files?",
        ("error",),
        "The messages speak of another bucket than the one looked at, or a lifecycle rule takes "
        "files away before they are read.",
    ),
    "TC703": Entry(
        "Neither files nor messages?",
        ("error",),
        f"Nothing arrives at all. {IN_ORDER}",
    ),
}


class Facts(msgspec.Struct, frozen=True):
    """Times are seconds ago, None for never.

    *newest* is the newest log file, *settled* the newest that has long been announced if anything
    announces; *messages* are those that wait or are held.  *delivered* is the line's last delivery
    and *known* whether there is a ledger to know it.  *kept* is for how long the queue keeps a
    message, *begun* when the first of the trails began to log, where that is seen.
    """

    newest: float | None
    settled: float | None
    messages: int
    delivered: float | None
    known: bool
    kept: float
    begun: float | None = None


@order.after("TC", says="TC700")
def look(subject: Subject) -> Iterator[Finding]:
    """Judge what lies in the bucket and what comes through the queue, side by side."""
    facts = _facts(subject)
    if isinstance(facts, str):
        yield Finding("unproved", "TC700", f"files and messages are not compared: {facts}")
        return
    yield _judged(facts)


def _facts(subject: Subject) -> Facts | str:
    """Return the facts, or which of them is not seen."""
    seen, line = queue.attributes(subject), broker.line(subject)
    places = bucket.places(subject)
    if not seen.good:
        return "how many messages wait is not seen (TC306)"
    if not places:
        return "no bucket is known (TC601)"
    found = [logs.recent(subject, place.name, place.region) for place in places]
    if any(each.trouble is not None for each in found):
        return "what lies in the bucket is not seen (TC604)"
    now = datetime.now(UTC)
    ages = [(now - file.modified).total_seconds() for each in found for file in each.newest]
    said = queue.said(subject)
    counts = [said.number(f"ApproximateNumberOfMessages{name}") for name in KINDS]
    if counts[0] is None:
        return "the queue does not say how many messages wait (TC311)"
    waiting = sum(each or 0 for each in counts)
    return Facts(
        newest=min(ages, default=None),
        settled=min((each for each in ages if each > JUST_NOW), default=None),
        messages=waiting + (line.standing.messages if line else 0),
        delivered=line.standing.last_success_seconds if line else None,
        known=line is not None,
        kept=said.number("MessageRetentionPeriod") or 0,
        begun=max(trails.began(subject), default=None),
    )


def _judged(facts: Facts) -> Finding:
    messages = f"messages that wait or are held: {facts.messages}"
    if facts.newest is None and facts.messages:
        fix = "Name in `buckets` the bucket the messages name: `trailcourier quarantine list`."
        return Finding("error", "TC702", f"the bucket holds no log file; {messages}", fix)
    if facts.newest is None:
        return _nothing(facts.begun)
    newest = f"the newest log file is {age(facts.newest)} old"
    if facts.messages:
        return Finding("ok", "TC700", f"{newest}; {messages}")
    if _came(facts):
        return Finding("ok", "TC700", f"{newest}; the line delivered {age(facts.delivered)} ago")
    if facts.settled is None or facts.settled > facts.kept or not facts.known:
        text = f"{newest} and no message waits: that may be well, and is not proved"
        return Finding("unproved", "TC700", text, "Look again when a file is 15 min old.")
    text = f"a log file is {age(facts.settled)} old, no message waits, and the line delivered " + (
        f"last {age(facts.delivered)} ago" if facts.delivered is not None else "nothing yet"
    )
    fix = (
        "See that the topic reaches the queue (TC4), and that nobody else reads this queue. Only "
        "what is written from now on is announced."
    )
    return Finding("error", "TC701", text, fix)


def _nothing(begun: float | None) -> Finding:
    text = "the bucket holds no log file and the queue nothing"
    if begun is not None and begun < JUST_NOW:
        text = f"{text}, and the trail began to log only {age(begun)} ago"
        fix = "Look again when it is 15 min old: the first file takes that long."
        return Finding("unproved", "TC700", text, fix)
    return Finding("error", "TC703", text, IN_ORDER)


def _came(facts: Facts) -> bool:
    """Say whether the line delivered after the newest file was written, or not long before."""
    newest, delivered = facts.newest, facts.delivered
    return newest is not None and delivered is not None and delivered <= newest + JUST_NOW
