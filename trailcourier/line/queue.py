"""Calls to the queue whose answer changes leases in the ledger.

``delete_messages`` is the only function that deletes messages.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import redis

from trailcourier.aws.sqs import BatchResult, NotAllowed
from trailcourier.breaker_name import delete_breaker, queue_breaker
from trailcourier.errors import Fault
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.models import Message
from trailcourier.observability import log
from trailcourier.reasons import REASONS

MARGIN = 60  # seconds by which a lease ends before SQS's limit of 12 hours
BACK_OFF_FIRST = 60  # seconds that a message is hidden the first time
BACK_OFF_LAST = 900  # and at most
NO_REDRIVE_LAST = 43_000  # and at most if no redrive policy ends its receives; SQS allows 12 hours


def receive(line: Line, most: int, wait: int) -> list[Message] | None:
    """Receive up to *most* messages; None if the queue failed, which its breaker counts."""
    breaker = str(queue_breaker(line.source))
    try:
        messages = line.queue.receive(most=most, wait=wait, visibility=visibility(line))
    except Fault as fault:
        # a breaker counts distinct names, and each failed receive must count
        what = f"receive:{line.clock.token()}"
        log_failure(line, fault)
        _count_failure(line, breaker, what, fault)
        return None
    log.emit("messages_received", source=line.source, messages=len(messages))
    with release_on_error(line, messages):
        _count_success(line, breaker)
    failpoint("after-receive")
    return messages


@contextmanager
def release_on_error(line: Line, messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Make *messages* visible again if the block raises before all of them are accounted for.

    The block appends each message that is leased, or whose outcome was logged, in their order.  If
    Redis failed, these are made visible too, because the ledger may have lost their leases; a lease
    that it kept takes the newer receipt.
    """
    accounted: list[Message] = []
    try:
        yield accounted
    except Exception as error:
        rest = messages[len(accounted) :]
        back = messages if isinstance(error, redis.RedisError) else rest
        if back:
            _release(line, back, len(rest), error)
        raise


def _release(line: Line, messages: Sequence[Message], rest: int, error: Exception) -> None:
    """Make *messages* visible, so that SQS redelivers them at once; *rest* were not admitted."""
    with suppress(Fault):  # then SQS redelivers them when it ends
        line.queue.change_visibility([(m.id, m.receipt, 0) for m in messages])
    log.emit("messages_released_unadmitted", source=line.source, messages=len(messages),
                 not_admitted=rest, why=str(error))  # fmt: skip


def release_late(line: Line, messages: Sequence[Message]) -> None:
    """Make *messages*, received while the worker stops, visible again."""
    change_visibility(line, [(m.id, m.receipt, 0) for m in messages])
    if messages:
        log.emit("messages_released_late", source=line.source, messages=len(messages))


def drop_leases(line: Line, receipts: Mapping[str, str], sum_field: str) -> None:
    """Drop the leases of messages that SQS will redeliver, and log how many objects were open.

    *receipts* maps each message to the receipt by which this was decided.  A message that was
    received again since keeps its lease.
    """
    unfinished = line.ledger.leases.forget(receipts, sum_field, receipts)
    if unfinished:
        log.emit("objects_unfinished", source=line.source, objects=unfinished)


def visibility(line: Line) -> int:
    """Return the visibility to ask for, in seconds: longer where it cannot be extended."""
    numbers = line.numbers
    return numbers.visibility_degraded if line.ledger.mode.is_degraded() else numbers.visibility


def change_visibility(line: Line, entries: Sequence[tuple[str, str, int]]) -> BatchResult | None:
    """Change the visibility of each (message, receipt, seconds); None if denied or failed.

    The first denial puts the source into degraded mode for an hour: no extensions.
    """
    if not entries or line.ledger.mode.is_degraded():
        return None
    try:
        changed = line.queue.change_visibility(entries)
    except NotAllowed as denied:
        if line.ledger.mode.note_degraded():
            log.emit("degraded", source=line.source, why=str(denied))
    except Fault as fault:
        log_failure(line, fault)
    else:
        _log_failed(line, changed)
        return changed
    return None


def delete_messages(
    line: Line, entries: Sequence[tuple[str, str]], *, leased: bool = True
) -> list[str]:
    """Delete each (message, receipt); return the messages that were deleted.

    If SQS no longer accepts a receipt, the lease is dropped: SQS redelivers the message.  If a
    delete fails otherwise, the lease stays and maintenance tries again.  *leased* False says that
    the messages were never admitted; the caller then accounts for those that were not deleted.
    """
    if not entries:
        return []
    failpoint("before-delete")
    breaker = str(delete_breaker(line.source))  # blocks nothing; `status` shows it
    try:
        changed = line.queue.delete(entries)
    except Fault as fault:
        log_failure(line, fault)
        _count_failure(line, breaker, "delete", fault, limit=1)
        return []
    failpoint("after-delete")
    _count_success(line, breaker)
    if leased:
        drop_lost_leases(line, changed, dict(entries))
    _log_failed(line, changed)
    return list(changed.done)


def drop_lost_leases(line: Line, changed: BatchResult, receipts: Mapping[str, str]) -> None:
    """Drop leases whose receipt SQS no longer accepts; the ledger deduplicates their redelivery."""
    for message, code in changed.lost.items():
        log.emit("lease_lost", source=line.source, message=message, error=code)
    drop_leases(line, {each: receipts[each] for each in changed.lost}, "leases:lost")


def back_off(
    line: Line, message: str, receipt: str, times: int, *, first: int = BACK_OFF_FIRST
) -> None:
    """Hide a message for *first* seconds the first time, and twice as long each time after.

    *times* counts these, from 1.
    """
    last = NO_REDRIVE_LAST if most_receives(line) == 0 else BACK_OFF_LAST
    seconds = min(last, first * 2 ** min(times - 1, 20))
    change_visibility(line, [(message, receipt, seconds)])


def most_receives(line: Line) -> int | None:
    """Return maxReceiveCount of the queue; 0 without a redrive policy, None if unknown."""
    try:
        return line.queue.max_receives()
    except Fault as fault:  # the caller can do without it
        log_failure(line, fault)
        return None


def leave(line: Line, messages: Sequence[LeftMessage]) -> None:
    """Leave messages to the queue, hidden for as long as SQS allows: that costs fewest receives.

    The ledger lists them before they are hidden, so that they can be released when their bucket
    recovers: a hidden message that is not listed would be away for half a day.
    """
    longest, left = line.numbers.lease_life - MARGIN, line.ledger.left
    entries = [(m.message, m.receipt, max(0, int(longest - m.age))) for m in messages]
    if not line.ledger.mode.is_degraded():
        left.note(messages, {message: seconds for message, _, seconds in entries})
        changed = change_visibility(line, entries)
        # if the call failed, SQS may have hidden some of them, so all stay listed
        if changed or line.ledger.mode.is_degraded():
            done = changed.done if changed else ()
            left.forget([each for each in messages if each.message not in done])
    for bucket, number in Counter(each.bucket for each in messages).items():
        log.emit("messages_left_full", source=line.source, bucket=bucket, messages=number)


def log_failure(line: Line, fault: Fault) -> None:
    """Log that a request to the queue failed."""
    log.emit("queue_failed", source=line.source, error=fault.reason, detail=fault.detail)


def _count_failure(line: Line, breaker: str, what: str, fault: Fault, limit: int = 0) -> None:
    reason, text = fault.reason, fault.detail
    opened = line.ledger.breakers.count_failure(
        breaker, what, reason=reason, text=text, limit=limit,
        host=line.process.fitness.host if REASONS[reason].may_be_local else "",
    )  # fmt: skip
    if opened:
        log.emit("breaker_opened", source=line.source, breaker=opened, why=str(fault))


def _count_success(line: Line, breaker: str) -> None:
    for closed in line.ledger.breakers.note_success(breaker, line.process.fitness.host):
        log.emit("breaker_closed", source=line.source, breaker=closed)


def _log_failed(line: Line, changed: BatchResult) -> None:
    """Log which messages of a batch SQS left unchanged."""
    for message, code in changed.failed.items():
        log.emit("queue_failed", source=line.source, message=message, error=code)
