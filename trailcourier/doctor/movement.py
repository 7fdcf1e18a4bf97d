"""Whether records move: messages are received, by this fleet alone, and objects are delivered.

Each check before this one looks at one thing.  This one looks at what should follow if all are
well, so that doctor never finds nothing wrong while nothing moves.
"""

from collections.abc import Iterator

import msgspec

from trailcourier.doctor import aws_findings, backlog, broker, fleet, prerequisites, queue, traffic
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.broker import SourceState
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.operations import standstill
from trailcourier.text import age

QUIET = 900  # seconds; in an account in use, CloudTrail delivers about every five minutes
KEPT = 345_600  # seconds; for how long a queue keeps messages, unless it says otherwise
IDLE = 300  # seconds without a delivery, after which no receive should be in flight
IN_PASSING = 10  # messages that may be between SQS and the ledger, of a line that is busy

ENTRIES: Entries = {
    "TC810": CatalogueEntry(
        "Are the messages that wait received?",
        ("ok", "not-checked", "error"),
        "Messages wait in the queue, and no worker has received any for a while. Doctor knows how "
        "long they have waited from CloudWatch or, if nothing was ever delivered, from the age of "
        "the log files.",
    ),
    "TC811": CatalogueEntry(
        "Does this fleet alone receive from the queue?",
        ("ok", "not-checked", "error"),
        "SQS counts more messages as received than the ledger holds. Another program receives "
        "from this queue, and takes log files that this fleet then never sees: an older collector, "
        "a Lambda function, a person with the SQS console, or a second fleet on another broker or "
        "namespace. Give each reader a queue of its own. If the broker has just lost its data, the "
        "messages that it held are counted too, until their visibility ends.",
    ),
    "TC812": CatalogueEntry(
        "Are objects delivered?",
        ("ok", "not-checked", "error"),
        "Nothing was delivered for 15 minutes, or ever, although messages or log files have waited "
        "for longer. `trailcourier status` and `trailcourier quarantine list` say what became of "
        "their objects.",
    ),
}


class Movement(msgspec.Struct, frozen=True):
    """What is known of messages and deliveries; times are seconds ago, None for unknown or never.

    *visible* and *hidden* are SQS's counts of messages that wait and that somebody has received.
    *held* is how many of these the ledger accounts for.  *received* is when the queue last answered
    one of our receives, *delivered* the last delivery.  *waited* is the longest that a message or
    log file has waited.  *ever* is whether any process has used this broker.
    """

    visible: int | None
    hidden: int | None
    held: int
    received: float | None
    delivered: float | None
    waited: float | None
    in_flight: int = 0
    parked: int = 0
    quarantined: int = 0
    ever: bool = True
    patience: float = standstill.STILL


@prerequisites.skip_after_errors("TC", reports="TC810")
def check_movement(subject: Subject) -> Iterator[Finding]:
    """Check whether messages are received, by this fleet alone, and objects delivered."""
    state = broker.read_source_state(subject)
    if state is None:
        text = "whether anything receives and delivers is not known without a broker's ledger"
        yield Finding("not-checked", "TC810", text, fleet.STARTS)
        return
    facts = _collect(subject, state, Attributes(queue.ask_attributes(subject)))
    yield judge_receives(facts)
    yield _check_readers(subject, facts)
    if errors := subject.errors("TC810", "TC811"):
        yield aws_findings.blocked_finding("TC812", errors[0].id)
    else:
        yield judge_deliveries(facts)


def _collect(subject: Subject, state: SourceState, attributes: Attributes) -> Movement:
    standing, count = state.standing, backlog.COUNT
    numbers = subject.shared.settings.numbers
    return Movement(
        visible=attributes.number(count),
        hidden=attributes.number(f"{count}NotVisible"),
        held=_count_held(state),
        received=state.received,
        delivered=standing.last_success_seconds,
        waited=_longest_wait(subject, state, attributes),
        in_flight=standing.in_flight,
        parked=standing.parked,
        quarantined=standing.quarantined,
        ever=bool(state.roll.last),
        patience=standstill.allowed_silence("poll", numbers),
    )


def _count_held(state: SourceState) -> int:
    """Return how many messages the ledger accounts for: leased, hidden or refused.

    A message with refused objects has no lease, and stays hidden for a while after each receive.
    """
    standing = state.standing
    refused = standing.quarantined + sum(standing.forgotten.values())
    return standing.messages + standing.left.messages + refused


def _longest_wait(subject: Subject, state: SourceState, attributes: Attributes) -> float | None:
    """Return how long the oldest message has waited, or the newest log file for its delivery."""
    ages = traffic.log_ages(subject)
    settled = None if isinstance(ages, str) else traffic.settled_age(ages)
    delivered = state.standing.last_success_seconds
    if settled is not None and delivered is not None and delivered <= settled + traffic.JUST_NOW:
        settled = None  # this file, or a later one, was delivered
    kept = attributes.number("MessageRetentionPeriod") or KEPT
    if settled is not None and settled > kept:
        settled = None  # written before the queue's time
    waiting = attributes.number(backlog.COUNT) != 0
    oldest = backlog.oldest_age(subject) if waiting else None
    found = [settled, oldest, state.standing.oldest_seconds]
    return max((each for each in found if each is not None), default=None)


def judge_receives(facts: Movement) -> Finding:
    """Return the finding about messages that wait."""
    if facts.visible is None:
        text = "how many messages wait is not known (TC306)"
        return Finding("not-checked", "TC810", text, "Allow the call that TC306 names.")
    if not facts.visible:
        return Finding("ok", "TC810", "no message waits")
    if facts.received is not None and facts.received <= facts.patience:
        return Finding("ok", "TC810", f"the queue was asked for messages {age(facts.received)} ago")
    last = "ever" if facts.received is None else f"for {age(facts.received)}"
    text = f"messages that wait: {facts.visible}; this fleet has not received any {last}"
    if _moves(facts):
        text = f"{text}; the last delivery was {age(facts.delivered)} ago, so it is busy"
        return Finding("ok", "TC810", text)
    if (facts.waited or 0) <= QUIET:
        return Finding("not-checked", "TC810", text, fleet.STARTS)
    text = f"{text}, although something has waited for {age(facts.waited)}"
    fix = "See the log of the control worker, and `trailcourier status`."
    return Finding("error", "TC810", text, fix if facts.ever else fleet.STARTS)


def _check_readers(subject: Subject, facts: Movement) -> Finding:
    """Compare SQS's count with the ledger; look twice, as neither is read at the same moment."""
    found = judge_readers(facts)
    if found.level != "error":
        return found
    state = broker.read_state_again(subject)
    answer = subject.ask(queue.ask_attributes(subject).call)
    if state is None or not answer.good:
        return found
    return judge_readers(_collect(subject, state, Attributes(answer)))


def judge_readers(facts: Movement) -> Finding:
    """Return the finding about messages that somebody else may have received."""
    if facts.hidden is None:
        text = "how many messages are received and not deleted is not known (TC306)"
        return Finding("not-checked", "TC811", text, "Allow the call that TC306 names.")
    idle = not facts.in_flight and (facts.delivered is None or facts.delivered > IDLE)
    allowed = facts.held if idle else 2 * facts.held + facts.in_flight + IN_PASSING
    counted = f"SQS counts {facts.hidden} messages as received and not deleted"
    if facts.hidden <= allowed:
        return Finding("ok", "TC811", f"{counted}; the ledger accounts for {facts.held}")
    text = (
        f"{counted}, and the ledger accounts for {facts.held}: another reader takes messages from "
        "this queue, and this fleet never sees their log files"
    )
    fix = (
        "Find the other reader (an older collector, a Lambda function, a second fleet on another "
        "broker) and give it a queue of its own: subscribe that to the same topic."
    )
    return Finding("error", "TC811", text, fix)


def judge_deliveries(facts: Movement) -> Finding:
    """Return the finding about deliveries."""
    last = "never" if facts.delivered is None else f"{age(facts.delivered)} ago"
    text = f"the last delivery: {last}"
    if _moves(facts):
        return Finding("ok", "TC812", text)
    if facts.waited is None or facts.waited <= QUIET:
        text = f"{text}; nothing is known to have waited for longer than {age(QUIET)}"
        return Finding("ok" if facts.delivered is not None else "not-checked", "TC812", text)
    text = (
        f"{text}, although something has waited for {age(facts.waited)}; objects: "
        f"{facts.in_flight} in flight, {facts.parked} parked, {facts.quarantined} in quarantine"
    )
    fix = "`trailcourier status` and `trailcourier quarantine list` say what became of them."
    return Finding("error", "TC812", text, fix if facts.ever else fleet.STARTS)


def _moves(facts: Movement) -> bool:
    return facts.delivered is not None and facts.delivered <= QUIET
