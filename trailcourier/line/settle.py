"""What becomes of a message, given what became of its objects."""

from collections.abc import Sequence

from trailcourier import metrics, observe
from trailcourier.ledger.leases import Verdict
from trailcourier.line import Line, queue
from trailcourier.sqs import BATCH


def settle(line: Line, messages: Sequence[str] | None) -> int:
    """Delete each message whose objects are all delivered or skipped; leave those with a refusal.

    How many of both there were.  None: every message that is ready, so that those finished together
    are deleted together.
    Reads the ledger and nothing else, so it may be called twice or too early: a message with an
    object still open, or without a lease, is not touched.
    """
    if messages is None:
        gather(line)
        messages = line.ledger.leases.ready()
    verdicts = line.ledger.leases.verdicts(messages)
    carried = [v for v in verdicts if v.kind == "delete" and v.receipt]
    left = [v for v in verdicts if v.kind == "leave" and v.receipt]
    retries = [v.message for v in verdicts if v.kind in ("delete", "leave") and not v.receipt]
    deleted = queue.commit(line, [(v.message, v.receipt) for v in carried])
    if deleted:
        _say(line, deleted, carried)
        line.ledger.leases.forget(deleted, "messages:deleted")
    for verdict in left:
        observe.fact("message_left", source=line.source, message=verdict.message)
        queue.back_off(line, verdict.message, verdict.receipt, verdict.receive_count)
    line.ledger.leases.forget([v.message for v in left], "messages:left")
    line.ledger.leases.forget(retries)
    if messages:
        line.ledger.traces.note("settle")
    return len(deleted) + len(left)


def gather(line: Line) -> None:
    """Wait a moment for more messages to be finished, unless there are enough for one delete.

    Records are where they belong already; ten messages deleted with one call cost a tenth.
    """
    if line.ledger.leases.finished() < BATCH:
        line.clock.wait(line.numbers.settle_gather)


def _say(line: Line, deleted: Sequence[str], carried: Sequence[Verdict]) -> None:
    """Say which messages are deleted, and how long after they were sent."""
    observe.fact("messages_deleted", source=line.source, messages=deleted, number=len(deleted))
    now, gone = line.clock.now(), set(deleted)
    for verdict in carried:
        if verdict.sent and verdict.message in gone:
            lag = max(0.0, now - verdict.sent / 1000)
            metrics.measured("delivery_lag_seconds", lag, source=line.source)
