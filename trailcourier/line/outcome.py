"""Write the outcome of an object: to the ledger, to the breakers, to the log and the metrics."""

from trailcourier.ledger.outcomes import Report, WrittenOutcome
from trailcourier.ledger.quarantine import QuarantinedRecord, QuarantineEntry, entry_id
from trailcourier.ledger.sums import as_metrics
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.report_draft import ReportDraft
from trailcourier.models import Outcome
from trailcourier.observability import log, metrics
from trailcourier.reasons import REASONS


def write_outcome(line: Line, draft: ReportDraft, report: Report) -> WrittenOutcome:
    """Write *report* to the ledger, then log and count what the ledger made of it."""
    fitness, claim = line.process.fitness, draft.claim
    written = line.ledger.outcomes.write(
        claim,
        report,
        jitter=line.clock.jitter(),
        host=fitness.host,
        entry=_entry(draft, report.outcome),
    )
    failpoint("after-outcome")
    outcome = written.outcome
    fitness.note_closed(written.closed)
    if written.host_breaker:
        fitness.note_open(written.host_breaker, f"{outcome.reason}: {outcome.detail}")
    _log_outcome(line, draft, report, written)
    if written.opened:
        log.emit("breaker_opened", source=line.source, breaker=written.opened,
                     why=f"{outcome.reason}: {outcome.detail}")  # fmt: skip
    for breaker in written.closed:
        log.emit("breaker_closed", source=line.source, breaker=breaker)
    return written


def _entry(draft: ReportDraft, outcome: Outcome) -> QuarantineEntry | None:
    """Return the quarantine entry to store if the ledger refuses the object; None if it cannot.

    The ledger also refuses an object whose reason allows only so many tries.
    """
    reason = REASONS.get(outcome.reason)
    if outcome.status != "refused" and not (reason and reason.tries):
        return None
    refusals = tuple(QuarantinedRecord(*each) for each in draft.refusals())
    return QuarantineEntry(
        id=entry_id(draft.claim.ref),
        kind="object",
        reason=outcome.reason,
        detail=outcome.detail or (reason.text if reason else ""),
        ref=draft.claim.ref,
        message=draft.claim.message,
        records=refusals,
        records_in_all=len(refusals),
    )


def _log_outcome(line: Line, draft: ReportDraft, report: Report, written: WrittenOutcome) -> None:
    outcome = written.outcome
    seconds = line.clock.monotonic() - draft.began
    fields: dict[str, object] = {"source": line.source, "object": str(draft.claim.ref)}
    if outcome.reason:
        fields |= {"reason": outcome.reason, "detail": outcome.detail}
    if report.sums:
        fields |= {"records": draft.count, **dict(report.sums)}
    event = "object_refused_again" if written.refused_before else f"object_{outcome.status}"
    log.emit(event, **fields, seconds=round(seconds, 3))
    metrics.observe("object_seconds", seconds, source=line.source)
    if outcome.status in ("delivered", "refused"):  # the ledger refuses after the last try
        for name, by, labels in as_metrics(line.source, report.sums, outcome):
            if by:
                metrics.count(name, by, **labels)
    if outcome.status == "delivered" and draft.newest:
        lag = max(0.0, line.clock.now() - draft.newest)
        metrics.observe("event_lag_seconds", lag, source=line.source)
