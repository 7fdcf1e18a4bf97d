"""Deliver one object: read it from its bucket, check it, send its records to every sink."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trailcourier import records
from trailcourier.errors import Fault
from trailcourier.ledger.outcomes import Report
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.live_claims import LiveClaim
from trailcourier.line.report_draft import ReportDraft
from trailcourier.line.sink_progress import SinkProgress, resume
from trailcourier.models import Origin
from trailcourier.observability import metrics
from trailcourier.sinks import batches

INFLATES = 16  # times its size as stored; ordinary CloudTrail files: 10 to 15, measured


def deliver(line: Line, draft: ReportDraft, live: LiveClaim) -> Report:
    """Read the object of *live*, check it whole, then send its records to every sink.

    Notes in *draft* what it sees, and returns the report made of it.  Raises Fault if the object
    cannot be delivered now, Stale if another task took it over.
    """
    ref = live.claim.ref
    draft.asked = line.clock.monotonic()
    opened = line.reader.open(ref)
    try:
        if draft.progress.delivered(opened.etag):
            return draft.skipped(opened.etag)
        with line.process.budget.take(
            _memory(opened.size, line), before_waiting=opened.close, waiting=live.keep_going
        ) as waited:
            if waited:
                draft.asked = line.clock.monotonic()
                opened = line.reader.open(ref)
            data = opened.body()
            live.move()
            tracks = [
                resume(sink, draft.progress, opened.etag, live) for sink in line.configured_sinks
            ]
            draft.begin(opened.etag, len(data), tracks)
            log = records.open_log(data, line.limits, live.keep_going)
            return _send(line, draft, log, live, Origin(line.source, ref, opened.etag))
    finally:
        opened.close()


def _send(
    line: Line, draft: ReportDraft, log: records.Log, live: LiveClaim, origin: Origin
) -> Report:
    """Send the records of *log* to every sink, in batches, and finish the deliveries."""
    draft.count, numbers = log.count, line.numbers
    with _started(draft.tracks, origin):
        for batch in log.batches(records=numbers.batch_records, size=numbers.batch_bytes):
            draft.newest = max(draft.newest, records.newest_event_time(batch.records))
            dropped = line.keep(batch.records)
            draft.filtered.update(rule for rule in dropped if rule is not None)
            for track in draft.tracks:
                _offer(track, batch, dropped)
            live.move()
            if batch.first + len(batch.records) < log.count:
                draft.note_progress()
                failpoint("between-batches")
        for track in draft.tracks:
            track.confirm()
        for track in draft.tracks:
            with _step(track, "finish"):
                track.finish()
    return draft.finished(log.inflated)


def _offer(track: SinkProgress, batch: records.Batch, dropped: Sequence[str | None]) -> None:
    """Send one sink what it still has to get of *batch*; *dropped* has the filter's answers."""
    wanted = [
        (ordinal, record)
        for ordinal, (record, rule) in enumerate(
            zip(batch.records, dropped, strict=True), batch.first
        )
        if rule is None and track.wants(ordinal)
    ]
    if wanted:
        with _step(track, "send"):
            for part, accepted, patience in track.parts(wanted):
                for piece in batches.deliver(
                    track, part, track.sink.settings, accepted, probe_after=patience
                ):
                    track.note(piece, part)
    if not track.held:
        track.next = max(track.next, batch.first + len(batch.records))


@contextmanager
def _started(tracks: Sequence[SinkProgress], origin: Origin) -> Iterator[None]:
    """Start a delivery to each sink, and drop those that the block does not finish."""
    try:
        for track in tracks:
            track.delivery = track.sink.start(origin)
        yield
    finally:
        for track in tracks:
            track.drop()


@contextmanager
def _step(track: SinkProgress, step: str) -> Iterator[None]:
    """Time the block as a *step* of the sink; a Fault that leaves it names the sink."""
    name = track.sink.name
    try:
        with metrics.timed("sink_seconds", sink=name, step=step):
            yield
    except Fault as fault:
        raise Fault(fault.reason, fault.detail, where=name) from fault


def _memory(compressed: int, line: Line) -> int:
    """Return the bytes one object is expected to take.

    Its stored bytes, its text and the records cut from it (both at once while it is checked), and
    one batch in flight.
    """
    text = min(compressed * INFLATES, line.limits.small)
    return compressed + 2 * text + min(text, line.numbers.batch_bytes)
