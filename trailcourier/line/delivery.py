"""Deliver one object: check it, and send its records to every sink."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trailcourier import records
from trailcourier.errors import Fault
from trailcourier.ledger.outcomes import Report
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.live_claims import LiveClaim
from trailcourier.line.read_ahead import ObjectRead, memory_of
from trailcourier.line.report_draft import ReportDraft
from trailcourier.line.sink_progress import SinkProgress, resume
from trailcourier.models import Origin
from trailcourier.objects.opened import OpenedObject
from trailcourier.observability import metrics
from trailcourier.sinks import batches


def deliver(line: Line, draft: ReportDraft, live: LiveClaim, read: ObjectRead) -> Report:
    """Check the object of *live* whole, then send its records to every sink.

    Notes in *draft* what it sees, and returns the report made of it.  A damaged object is found
    before any of its records is sent.  Raises Fault if the object cannot be delivered now, Stale if
    another task has taken it over.
    """
    if read.error is not None or read.opened is None:
        raise read.error or RuntimeError("an object is delivered before it was read")
    opened = read.opened
    if draft.earlier.delivered(opened.etag):
        return draft.skipped(opened.etag)
    if read.body is not None:
        return _deliver_body(line, draft, live, opened, read.body)
    with line.process.budget.take(
        memory_of(opened.size, line), before_waiting=opened.close, waiting=live.keep_going
    ) as waited:
        if waited:
            draft.asked_at = line.clock.monotonic()
            read.opened = opened = line.reader.open(live.claim.ref)
        return _deliver_body(line, draft, live, opened, opened.body())


def _deliver_body(
    line: Line, draft: ReportDraft, live: LiveClaim, opened: OpenedObject, data: bytes
) -> Report:
    live.move()
    sink_progress = [
        resume(sink, draft.earlier, opened.etag, live) for sink in line.configured_sinks
    ]
    draft.begin(opened.etag, len(data), sink_progress)
    log = records.open_log(data, line.log_limits, live.keep_going)
    return _send(line, draft, log, live, Origin(line.source, live.claim.ref, opened.etag))


def _send(
    line: Line, draft: ReportDraft, log: records.Log, live: LiveClaim, origin: Origin
) -> Report:
    """Send the records of *log* to every sink, in batches, and finish the deliveries."""
    draft.count, numbers = log.count, line.numbers
    with _started(draft.sink_progress, origin):
        for batch in log.batches(records=numbers.batch_records, size=numbers.batch_bytes):
            draft.newest = max(draft.newest, records.newest_event_time(batch.records))
            dropped = line.find_dropping_rules(batch.records)
            draft.filtered.update(rule for rule in dropped if rule is not None)
            for progress in draft.sink_progress:
                _offer(progress, batch, dropped)
            live.move()
            if batch.first + len(batch.records) < log.count:
                draft.note_progress()
                failpoint("between-batches")
        for progress in draft.sink_progress:  # all of them, before any is finished
            progress.confirm()
        for progress in draft.sink_progress:
            with _step(progress, "finish"):
                progress.finish()
    return draft.finished(log.inflated)


def _offer(progress: SinkProgress, batch: records.Batch, dropped: Sequence[str | None]) -> None:
    """Send one sink the records that it still needs; *dropped* has the filter's answers."""
    wanted = [
        (ordinal, record)
        for ordinal, (record, rule) in enumerate(
            zip(batch.records, dropped, strict=True), batch.first
        )
        if rule is None and progress.wants(ordinal)
    ]
    if wanted:
        with _step(progress, "send"):
            for part, accepted, probe_after in progress.parts(wanted):
                for piece in batches.deliver(
                    progress, part, progress.sink.settings, accepted, probe_after=probe_after
                ):
                    progress.note(piece, part)
    if not progress.in_doubt:  # else a later try must send the held records again
        progress.next = max(progress.next, batch.first + len(batch.records))


@contextmanager
def _started(sink_progress: Sequence[SinkProgress], origin: Origin) -> Iterator[None]:
    """Start a delivery to each sink, and drop those that the block does not finish."""
    try:
        for progress in sink_progress:
            progress.delivery = progress.sink.start(origin)
        yield
    finally:
        for progress in sink_progress:
            progress.drop()


@contextmanager
def _step(progress: SinkProgress, step: str) -> Iterator[None]:
    """Time the block as a *step* of the sink, and name the sink in a Fault that leaves it."""
    name = progress.sink.name
    try:
        with metrics.timed("sink_seconds", sink=name, step=step):
            yield
    except Fault as fault:
        raise Fault(fault.reason, fault.detail, where=name) from fault
