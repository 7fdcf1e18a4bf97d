"""The line's dealings with its queue, where an answer changes what is held.

``commit`` is the only function that deletes messages.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import redis

from trailcourier import observe
from trailcourier.dispositions import REASONS
from trailcourier.errors import Fault
from trailcourier.ledger.left import LeftMessage
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.models import Message
from trailcourier.sqs import Changed, NotAllowed

LET_GO = 60  # seconds; a lease is not extended to the very end of the twelve hours
BACK_OFF_FIRST = 60
BACK_OFF_LAST = 900
NO_REDRIVE_LAST = 43_000  # SQS holds nothing for longer than 12 hours in all


def receive(line: Line, most: int, wait: int) -> list[Message] | None:
    """Receive up to *most* messages; None where the queue failed, which its breaker counts."""
    breaker = f"queue:{line.source}"
    try:
        messages = line.queue.receive(most=most, wait=wait, visibility=visibility(line))
    except Fault as fault:
        what = f"receive:{line.clock.token()}"  # each failure counts as one of its own
        failed(line, fault)
        _count_failure(line, breaker, what, fault)
        return None
    observe.fact("messages_received", source=line.source, messages=len(messages))
    with given_back(line, messages):
        _count_success(line, breaker)
    failpoint("after-receive")
    return messages


@contextmanager
def given_back(line: Line, messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Give *messages* back to the queue where an error comes before they are all accounted for.

    The block appends to the list that it is given, in their order, those that are: each has a
    lease, or it was said what became of it.  Where the ledger went away these come again too, and
    their leases take the newer handles.
    """
    accounted: list[Message] = []
    try:
        yield accounted
    except Exception as error:
        rest = messages[len(accounted) :]
        back = messages if isinstance(error, redis.RedisError) else rest
        if back:
            _give_back(line, back, len(rest), error)
        raise


def _give_back(line: Line, messages: Sequence[Message], rest: int, error: Exception) -> None:
    """Give *messages* back at once: else nobody would see them before their visibility ends."""
    with suppress(Fault):  # then they come when it ends
        line.queue.extend([(m.id, m.receipt, 0) for m in messages])
    observe.fact("messages_given_back", source=line.source, messages=len(messages),
                 not_admitted=rest, why=str(error))  # fmt: skip


def hand_back(line: Line, messages: Sequence[Message]) -> None:
    """Give back *messages* that came while the worker stops."""
    extend(line, [(m.id, m.receipt, 0) for m in messages])
    if messages:
        observe.fact("messages_came_late", source=line.source, messages=len(messages))


def release(line: Line, messages: Sequence[str], sum_field: str) -> None:
    """Forget the leases of *messages*, which come again, and say how many objects were open."""
    unfinished = line.ledger.leases.forget(messages, sum_field)
    if unfinished:
        observe.fact("objects_unfinished", source=line.source, objects=unfinished)


def visibility(line: Line) -> int:
    """The seconds a receive asks for: longer where they cannot be extended."""
    numbers = line.numbers
    return numbers.visibility_degraded if line.ledger.flow.degraded() else numbers.visibility


def extend(line: Line, entries: Sequence[tuple[str, str, int]]) -> Changed | None:
    """Change visibility of (message, receipt, seconds); None where that is not allowed or failed.

    The first denial puts the source into its degraded way of working for an hour.
    """
    if not entries or line.ledger.flow.degraded():
        return None
    try:
        changed = line.queue.extend(entries)
    except NotAllowed as denied:
        if line.ledger.flow.degrade():
            observe.fact("degraded", source=line.source, why=str(denied))
    except Fault as fault:
        failed(line, fault)
    else:
        _say(line, changed)
        return changed
    return None


def commit(line: Line, entries: Sequence[tuple[str, str]], *, leased: bool = True) -> list[str]:
    """Delete (message, receipt); the answer is which messages are deleted.

    A lease on what the queue no longer knows by that receipt is forgotten, for it comes again; what
    failed otherwise stays in the ledger for the next tend.  Messages that are not *leased* were
    never admitted: each that is not deleted is the caller's to account for.
    """
    if not entries:
        return []
    failpoint("before-delete")
    breaker = f"delete:{line.source}"  # holds nothing up: what is delivered and stays is said
    try:
        changed = line.queue.delete(entries)
    except Fault as fault:
        failed(line, fault)
        _count_failure(line, breaker, "delete", fault, limit=1)
        return []
    failpoint("after-delete")
    _count_success(line, breaker)
    if leased:
        lost(line, changed)
    _say(line, changed)
    return list(changed.done)


def lost(line: Line, changed: Changed) -> None:
    """Forget leases the queue no longer knows by our receipt; the ledger absorbs their return."""
    for message, code in changed.lost.items():
        observe.fact("lease_lost", source=line.source, message=message, error=code)
    release(line, list(changed.lost), "leases:lost")


def back_off(
    line: Line, message: str, receipt: str, times: int, *, first: int = BACK_OFF_FIRST
) -> None:
    """Keep a message away, for *first* seconds at first and longer each of the *times* it comes."""
    last = NO_REDRIVE_LAST if most_receives(line) == 0 else BACK_OFF_LAST
    seconds = min(last, first * 2 ** min(times - 1, 20))
    extend(line, [(message, receipt, seconds)])


def most_receives(line: Line) -> int | None:
    """How often the queue delivers a message; 0 without a redrive policy, None if unknown."""
    try:
        return line.queue.redrive()
    except Fault as fault:  # one that cannot be asked keeps nothing else waiting
        failed(line, fault)
        return None


def leave(line: Line, messages: Sequence[LeftMessage]) -> None:
    """Leave messages to the queue, hidden for as long as it allows: that costs the fewest receives.

    They are known, so that they can be handed back when their bucket recovers.
    """
    longest = line.numbers.lease_life - LET_GO
    entries = [(m.message, m.receipt, max(0, int(longest - m.age))) for m in messages]
    changed = extend(line, entries)
    done = set(changed.done) if changed else set()
    hidden = {message: seconds for message, _, seconds in entries if message in done}
    line.ledger.left.note([each for each in messages if each.message in done], hidden)
    for bucket, those in Counter(each.bucket for each in messages).items():
        observe.fact("messages_left_full", source=line.source, bucket=bucket, messages=those)


def failed(line: Line, fault: Fault) -> None:
    """Say that the queue did not do what was asked."""
    observe.fact("queue_failed", source=line.source, error=fault.reason, detail=fault.detail)


def _count_failure(line: Line, breaker: str, what: str, fault: Fault, limit: int = 0) -> None:
    reason, text = fault.reason, fault.detail
    opened = line.ledger.breakers.failed(
        breaker, what, reason=reason, text=text, limit=limit,
        host=line.process.fitness.host if REASONS[reason].may_be_local else "",
    )  # fmt: skip
    if opened:
        observe.fact("breaker_opened", source=line.source, breaker=opened, why=str(fault))


def _count_success(line: Line, breaker: str) -> None:
    for closed in line.ledger.breakers.succeeded(breaker, line.process.fitness.host):
        observe.fact("breaker_closed", source=line.source, breaker=closed)


def _say(line: Line, changed: Changed) -> None:
    """Say which messages of a batch are as they were."""
    for message, code in changed.failed.items():
        observe.fact("queue_failed", source=line.source, message=message, error=code)
