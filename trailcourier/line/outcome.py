"""Write the outcomes of objects: to the ledger, to the breakers, to the log and the metrics."""

from collections.abc import Sequence

from trailcourier.ledger.claims import Claim
from trailcourier.ledger.outcomes import EndedForward, Report, WrittenOutcome
from trailcourier.ledger.quarantine import QuarantinedRecord, QuarantineEntry, entry_id
from trailcourier.ledger.sums import as_metrics
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.report_draft import ReportDraft
from trailcourier.models import Outcome
from trailcourier.observability import log, metrics
from trailcourier.reasons import REASONS


def write_outcomes(
    line: Line, reports: Sequence[tuple[ReportDraft, Report]]
) -> list[WrittenOutcome | None]:
    """Write all *reports* to the ledger, then log and count what the ledger made of each.

    The answer is None, and an event is logged, for an object that another task has overtaken.
    """
    ended = [
        EndedForward(draft.claim, report, line.clock.jitter(), _entry(draft, report.outcome))
        for draft, report in reports
    ]
    answers = line.ledger.outcomes.write_all(ended, host=line.process.fitness.host)
    failpoint("after-outcome")
    for (draft, report), written in zip(reports, answers, strict=True):
        if written is None:
            log_overtaken(line, draft.claim)
        else:
            _tell(line, draft, report, written)
    return answers


def log_overtaken(line: Line, claim: Claim) -> None:
    """Log that another task has taken over the object of *claim*."""
    why = f"the claim on {claim.ref} was overtaken"
    log.emit("object_overtaken", source=line.source, object=str(claim.ref), why=why)


def _tell(line: Line, draft: ReportDraft, report: Report, written: WrittenOutcome) -> None:
    """Log and count an outcome, and note the breakers that it opened and closed."""
    fitness, outcome = line.process.fitness, written.outcome
    fitness.note_closed(written.closed)
    if written.host_breaker:
        fitness.note_open(written.host_breaker, f"{outcome.reason}: {outcome.detail}")
    _log_outcome(line, draft, report, written)
    if written.opened:
        log.emit("breaker_opened", source=line.source, breaker=written.opened,
                     why=f"{outcome.reason}: {outcome.detail}")  # fmt: skip
    for breaker in written.closed:
        log.emit("breaker_closed", source=line.source, breaker=breaker)


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
