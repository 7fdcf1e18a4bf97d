"""Settle: delete a message, keep it, or leave it to the queue, by the outcomes of its objects."""

from collections.abc import Sequence

from trailcourier.aws.sqs import BATCH
from trailcourier.ledger.leases import MessageVerdict
from trailcourier.line import Line, queue
from trailcourier.observability import log, metrics


def settle(line: Line, messages: Sequence[str] | None) -> int:
    """Delete messages whose objects are all delivered or skipped; leave those with a refusal.

    Returns how many were deleted or left.  *messages* None means all that are ready: messages that
    finish together are deleted with one call.  The ledger alone decides, so this may run twice or
    too early: a message with an open object, or without a lease, stays as it is.
    """
    if messages is None:
        gather(line)
        messages = line.ledger.leases.begin_settle()
    verdicts = line.ledger.leases.judge(messages)
    delivered = [v for v in verdicts if v.kind == "delete" and v.receipt]
    left = [v for v in verdicts if v.kind == "leave" and v.receipt]
    # an operator's retry has a lease but no SQS message
    retries = [v.message for v in verdicts if v.kind in ("delete", "leave") and not v.receipt]
    receipts = {v.message: v.receipt for v in verdicts}
    deleted = queue.delete_messages(line, [(v.message, v.receipt) for v in delivered])
    if deleted:
        _log_deleted(line, deleted, delivered)
        line.ledger.leases.forget(deleted, "messages:deleted", receipts)
    for verdict in left:
        log.emit("message_left", source=line.source, message=verdict.message)
        queue.back_off(line, verdict.message, verdict.receipt, verdict.receive_count)
    line.ledger.leases.forget([v.message for v in left], "messages:left", receipts)
    line.ledger.leases.forget(retries)
    if messages:
        line.ledger.traces.note("settle")
    return len(deleted) + len(left)


def gather(line: Line) -> None:
    """Wait a moment for more messages to finish, unless one delete is full already.

    Their records are delivered, so waiting risks nothing, and one call for ten deletes costs a
    tenth of ten calls.
    """
    if line.ledger.leases.count_finished() < BATCH:
        line.clock.wait(line.numbers.settle_gather)


def _log_deleted(line: Line, deleted: Sequence[str], delivered: Sequence[MessageVerdict]) -> None:
    """Log which messages were deleted, and measure how long after they were sent."""
    log.emit("messages_deleted", source=line.source, messages=deleted, number=len(deleted))
    now, gone = line.clock.now(), set(deleted)
    for verdict in delivered:
        if verdict.sent and verdict.message in gone:
            lag = max(0.0, now - verdict.sent / 1000)
            metrics.observe("delivery_lag_seconds", lag, source=line.source)
