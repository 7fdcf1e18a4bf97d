"""Forward one object: claim it, deliver it to every sink, write its outcome."""

import msgspec
import redis

from trailcourier.errors import Fault, Stale
from trailcourier.ledger.claims import Claim, ClaimAnswer, ObjectProgress
from trailcourier.ledger.outcomes import Report, WrittenOutcome
from trailcourier.ledger.quarantine import QuarantineEntry, RejectedRecord, entry_id
from trailcourier.ledger.sums import as_metrics
from trailcourier.line import Line
from trailcourier.line.delivery import ObjectDelivery
from trailcourier.line.failpoint import failpoint
from trailcourier.line.messages import Work
from trailcourier.models import Outcome
from trailcourier.observability import log, metrics
from trailcourier.reasons import REASONS


class Forwarded(msgspec.Struct, frozen=True):
    """How one forward ended.

    *ours* says that another copy of this task holds the claim; that copy returns the outcome.
    *settle* asks for a settle: the message has no open object left.
    """

    status: str
    reason: str = ""
    ours: bool = False
    settle: bool = False

    @property
    def text(self) -> str:
        """The status and its reason, as Flower shows them."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


def forward_object(line: Line, work: Work, task_id: str) -> Forwarded:
    """Deliver one object and return how that ended.

    A fault of the object or of a sink does not raise, because an exception would fail the chord.
    Raises RedisError while the broker is away; maintenance then dispatches the object again.
    """
    gate = line.process.gate
    # An object that was started several times and never ended may have killed its workers: the
    # ledger answers `alone`, and it runs without others.
    for alone, enter in ((False, gate.shared), (True, gate.alone)):
        with enter() as inside:
            if not inside:  # the process is to stop
                break
            answer = _claim(line, work, task_id, alone=alone)
            if answer.kind == "go" and answer.claim:
                return _deliver(line, answer.claim, answer.progress)
            if answer.kind != "alone":
                return _without_delivery(line, work, answer)
    return Forwarded("pending", "stopping")


def _claim(line: Line, work: Work, task_id: str, *, alone: bool) -> ClaimAnswer:
    return line.ledger.claims.claim(
        work.message,
        work.index,
        work.generation,
        token=line.clock.token(),
        task_id=task_id,
        sinks=line.sinks,
        host=line.process.fitness.host,
        alone=alone,
    )


def _without_delivery(line: Line, work: Work, answer: ClaimAnswer) -> Forwarded:
    """Return how a forward ends that has nothing to deliver; ``ClaimAnswer`` explains each kind."""
    match answer.kind:
        case "refused" if answer.claim:
            delivery = ObjectDelivery(line, answer.claim, ObjectProgress())
            starts = line.numbers.starts_refused
            fault = Fault("kills-worker", f"{answer.claim.ref}: {starts} starts, no end")
            return _finish(line, answer.claim, delivery, delivery.report_fault(fault))
        case "done" if answer.outcome:
            reason = answer.outcome.reason
            if reason == "already-delivered":
                log.emit("object_skipped", source=line.source, object=work.name, reason=reason)
            return Forwarded(answer.outcome.status, reason, settle=answer.settle)
        case "parked":
            log.emit("object_parked", source=line.source, object=work.name,
                         reason="breaker-open", detail=answer.breaker)  # fmt: skip
            return Forwarded("parked", "breaker-open")
        case _:
            return Forwarded("pending", ours=answer.kind == "ours")


def _deliver(line: Line, claim: Claim, progress: ObjectProgress) -> Forwarded:
    failpoint("at-claim")
    delivery = ObjectDelivery(line, claim, progress)
    try:
        with line.process.live_claims.kept(line.ledger.claims, claim) as live:
            try:
                report = delivery.run(live)
            except Fault as fault:
                report = delivery.report_fault(fault)
            except (Stale, redis.RedisError):
                raise  # nothing may, or can, be written to the ledger
            except Exception as error:  # noqa: BLE001 - a bug becomes an outcome too
                log.emit("bug", object=str(claim.ref), error=repr(error), exc_info=True)
                report = delivery.report_fault(Fault("internal", f"{claim.ref}: {error!r}"))
        failpoint("before-outcome")
        return _finish(line, claim, delivery, report)
    except Stale as stale:
        log.emit("object_overtaken", source=line.source, object=str(claim.ref), why=str(stale))
        return Forwarded("pending")


def _finish(line: Line, claim: Claim, delivery: ObjectDelivery, report: Report) -> Forwarded:
    """Write the outcome to the ledger, and log and count it."""
    fitness, entry = line.process.fitness, _entry(claim, delivery, report.outcome)
    written = line.ledger.outcomes.finish(
        claim, report, jitter=line.clock.jitter(), host=fitness.host, entry=entry
    )
    failpoint("after-outcome")
    outcome = written.outcome
    fitness.closed(written.closed)
    if written.host_breaker:
        fitness.failed(written.host_breaker, f"{outcome.reason}: {outcome.detail}")
    _log_outcome(line, claim, delivery, report, written)
    if written.opened:
        log.emit("breaker_opened", source=line.source, breaker=written.opened,
                     why=f"{outcome.reason}: {outcome.detail}")  # fmt: skip
    for breaker in written.closed:
        log.emit("breaker_closed", source=line.source, breaker=breaker)
    return Forwarded(outcome.status, outcome.reason, settle=written.settle)


def _entry(claim: Claim, delivery: ObjectDelivery, outcome: Outcome) -> QuarantineEntry | None:
    """Return the quarantine entry to store if the ledger refuses the object; None if it cannot.

    The ledger also refuses an object whose reason allows only so many tries.
    """
    reason = REASONS.get(outcome.reason)
    if outcome.status != "refused" and not (reason and reason.tries):
        return None
    refusals = tuple(RejectedRecord(*each) for each in delivery.refusals())
    return QuarantineEntry(
        id=entry_id(claim.ref),
        kind="object",
        reason=outcome.reason,
        detail=outcome.detail or (reason.text if reason else ""),
        ref=claim.ref,
        message=claim.message,
        records=refusals,
        records_in_all=len(refusals),
    )


def _log_outcome(
    line: Line, claim: Claim, delivery: ObjectDelivery, report: Report, written: WrittenOutcome
) -> None:
    outcome = written.outcome
    seconds = line.clock.monotonic() - delivery.began
    fields: dict[str, object] = {"source": line.source, "object": str(claim.ref)}
    if outcome.reason:
        fields |= {"reason": outcome.reason, "detail": outcome.detail}
    if report.sums:
        fields |= {"records": delivery.count, **dict(report.sums)}
    event = "object_refused_again" if written.refused_before else f"object_{outcome.status}"
    log.emit(event, **fields, seconds=round(seconds, 3))
    metrics.observe("object_seconds", seconds, source=line.source)
    if outcome.status in (
        "delivered",
        "refused",
    ):  # the ledger refuses after the last try
        for name, by, labels in as_metrics(line.source, report.sums, outcome):
            if by:
                metrics.count(name, by, **labels)
    if outcome.status == "delivered" and delivery.newest:
        lag = max(0.0, line.clock.now() - delivery.newest)
        metrics.observe("event_lag_seconds", lag, source=line.source)
