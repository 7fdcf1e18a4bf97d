"""Send a batch to a sink: fit records to its size limit, retry, and bisect what it rejects.

The result comes in pieces, from left to right, so that the caller can store its progress after
each one: records of a piece that was yielded are not sent again, whatever happens next.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from trailcourier.errors import Fault, Rejected
from trailcourier.observability import log
from trailcourier.reason_names import ReasonName
from trailcourier.sinks.bisection import PROBE_AFTER, Accepted, Bisection, Piece, requests_of
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.oversize import fit_record
from trailcourier.sinks.protocol import Delivery

TRANSIENT = frozenset({"sink-unreachable", "sink-busy", "sink-error"})
LONGEST_WAIT = 2.0  # seconds between two tries; a worker that is stopping waits no longer than this

NumberedRecord = tuple[int, bytes]
"""A record's ordinal and the record; the ordinal is its place in the log file, from 0."""


class RefusedRecord(msgspec.Struct, frozen=True):
    """One record that the sink does not accept, and why."""

    ordinal: int
    reason: ReasonName
    detail: str


class PieceResult(msgspec.Struct, frozen=True):
    """What became of one piece of a batch.

    *next* is one more than the ordinal of its last record.  *delivered* counts the records that the
    sink accepted, *truncated* how many of these were cut to size.

    Some ordinals may not be settled:

    - *skipped* are before *next*: the sink accepted a later record as a probe, then a fault came;
    - *in_doubt* are at the end of the batch: the sink rejected the first of them, with the answer
      *last_rejection*, and accepted nothing since.  Send them again with the next batch;
    - *rejected_alone* are unsettled records that the sink rejected when they were sent alone.
    """

    next: int
    delivered: int
    refused: tuple[RefusedRecord, ...] = ()
    truncated: int = 0
    skipped: tuple[int, ...] = ()
    in_doubt: tuple[int, ...] = ()
    rejected_alone: tuple[int, ...] = ()
    last_rejection: str = ""


def deliver(
    delivery: Delivery, records: Sequence[NumberedRecord], settings: DeliverySettings,
    accepted: Accepted = "nothing", *, probe_after: int = PROBE_AFTER,
) -> Iterator[PieceResult]:  # fmt: skip
    """Send *records*, in ascending order of their ordinals, and yield each piece once settled.

    *accepted* is what the sink accepted before.  After *probe_after* rejected requests in a row the
    sink itself is probed; see ``bisection``.  Sends only while the caller iterates.  Raises Fault
    for what is not about one record; pieces yielded before stay settled.
    """
    fitting, oversized, truncated = _fit_all(records, settings)
    batch = [record for _, record in fitting]
    for start, end in requests_of(len(batch), settings.max_records_per_request):
        try:
            retry(delivery.send, batch[start:end], settings)
        except Rejected as rejection:
            if start and accepted != "since":
                accepted = "before"
            bisection = Bisection(
                lambda part: retry(delivery.send, part, settings), batch[start:],
                rejection=rejection, max_records=settings.max_records_per_request,
                accepted=accepted, probe_after=probe_after,
            )  # fmt: skip
            yield from _bisect(bisection, fitting[start:], oversized, truncated)
            return
        yield _settled_piece(fitting, (start, end, None), oversized, truncated)
    if oversized:
        yield _piece([], oversized, truncated)


def _bisect(
    bisection: Bisection, fitting: Sequence[NumberedRecord], oversized: list[RefusedRecord],
    truncated: set[int],
) -> Iterator[PieceResult]:  # fmt: skip
    """Bisect *fitting*, whose first request the sink rejected, and yield each piece once settled.

    The last piece also has the ordinals that are not settled: skipped, or in doubt.
    """
    settled = 0
    try:
        for start, end, rejection in bisection.pieces():
            settled = end
            yield _settled_piece(fitting, (start, end, rejection), oversized, truncated)
    except Fault:
        if bisection.accepted_ahead or bisection.rejected_alone:
            yield _unsettled(bisection, fitting, settled, oversized, truncated)[0]
        raise
    if settled < len(fitting):
        piece, rest = _unsettled(bisection, fitting, settled, oversized, truncated)
        yield msgspec.structs.replace(piece, in_doubt=rest, last_rejection=bisection.last_rejection)


def retry(
    send: Callable[[Sequence[bytes]], None], batch: Sequence[bytes], settings: DeliverySettings
) -> None:
    """Send *batch*, and retry after a transient Fault, as *settings* allow.

    Raises the Fault if the next wait would not end within ``retry_seconds`` after the first try,
    or if the sink asked for a longer wait than a worker may spend on it.
    """
    deadline = time.monotonic() + settings.retry_seconds
    longest = min(LONGEST_WAIT, settings.retry_seconds / settings.retry_attempts)

    def should_retry(error: Exception) -> bool | float:
        if not isinstance(error, Fault) or error.reason not in TRANSIENT:
            return False
        in_time = time.monotonic() + longest <= deadline and error.after <= longest
        return (error.after or True) if in_time else False

    for each in stamina.retry_context(
        should_retry,
        attempts=settings.retry_attempts,
        timeout=None,
        wait_max=longest,
        wait_jitter=0.5,
    ):
        with each:
            send(batch)


def _log_retry(details: RetryDetails) -> None:
    error = details.caused_by
    sink = error.where if isinstance(error, Fault) else ""
    log.emit("sink_tried_again", sink=sink, tries=details.retry_num, why=str(error))


set_on_retry_hooks((_log_retry,))  # stamina's own hook writes another log, to standard output


def _fit_all(
    records: Sequence[NumberedRecord], settings: DeliverySettings
) -> tuple[Sequence[NumberedRecord], list[RefusedRecord], set[int]]:
    """Return the records that fit, some cut; the refused ones; and the ordinals of those cut."""
    limit = settings.max_record_bytes
    if all(len(record) <= limit for _, record in records):
        return records, [], set()
    fitting: list[NumberedRecord] = []
    oversized: list[RefusedRecord] = []
    truncated: set[int] = set()
    for ordinal, record in records:
        try:
            fitting.append((ordinal, fit_record(record, limit, settings.oversize)))
        except Rejected as error:
            oversized.append(RefusedRecord(ordinal, error.reason, error.detail))
        else:
            if len(record) > limit:
                truncated.add(ordinal)
    return fitting, oversized, truncated


def _take_before(until: int | None, oversized: list[RefusedRecord]) -> list[RefusedRecord]:
    """Remove the records before the ordinal *until* from *oversized*, and return them."""
    found = [each for each in oversized if until is None or each.ordinal < until]
    del oversized[: len(found)]
    return found


def _settled_piece(
    fitting: Sequence[NumberedRecord], piece: Piece, oversized: list[RefusedRecord],
    truncated: set[int],
) -> PieceResult:  # fmt: skip
    """Return what became of *piece* of *fitting*, and of the oversized records before its end."""
    start, end, rejection = piece
    ordinals = [ordinal for ordinal, _ in fitting[start:end]]
    refused = _take_before(fitting[end][0] if end < len(fitting) else None, oversized)
    if rejection:
        refused.append(RefusedRecord(ordinals[0], rejection.reason, rejection.detail))
        ordinals = []
    return _piece(ordinals, refused, truncated)


def _unsettled(
    bisection: Bisection, fitting: Sequence[NumberedRecord], settled: int,
    oversized: list[RefusedRecord], truncated: set[int],
) -> tuple[PieceResult, tuple[int, ...]]:  # fmt: skip
    """Return a piece of what was accepted out of order, and the ordinals that are not settled.

    *settled* counts the records of *fitting* that were yielded.
    """
    ahead = [fitting[at][0] for at in bisection.accepted_ahead]
    rest = {ordinal for ordinal, _ in fitting[settled:]} | {each.ordinal for each in oversized}
    unsettled = tuple(sorted(rest.difference(ahead)))
    piece = _piece(ahead, (), truncated) if ahead else PieceResult(unsettled[0], delivered=0)
    piece = msgspec.structs.replace(
        piece,
        skipped=tuple(at for at in unsettled if at < piece.next),
        rejected_alone=tuple(fitting[at][0] for at in bisection.rejected_alone),
    )
    return piece, unsettled


def _piece(
    accepted: Sequence[int], refused: Sequence[RefusedRecord], truncated: set[int]
) -> PieceResult:
    ordinals = [*accepted[-1:], *(each.ordinal for each in refused)]
    return PieceResult(
        next=max(ordinals) + 1,
        delivered=len(accepted),
        refused=tuple(sorted(refused, key=lambda each: each.ordinal)),
        truncated=len(truncated.intersection(accepted)),
    )
