"""Forward one object: claim it, deliver it to every sink, write its outcome."""

import msgspec
import redis

from trailcourier.errors import Fault, Stale
from trailcourier.ledger.claims import Claim, ClaimAnswer, ObjectProgress
from trailcourier.ledger.outcomes import WrittenOutcome
from trailcourier.line import Line
from trailcourier.line.delivery import deliver
from trailcourier.line.failpoint import failpoint
from trailcourier.line.outcome import write_outcome
from trailcourier.line.report_draft import ReportDraft
from trailcourier.line.work import Work
from trailcourier.observability import log


class Forwarded(msgspec.Struct, frozen=True):
    """How one forward ended.

    *duplicate* says that another copy of this task holds the claim; that copy returns the outcome.
    *settle* asks for a settle: the message has no open object left.
    """

    status: str
    reason: str = ""
    duplicate: bool = False
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
            if alone or answer.kind != "alone":
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
            draft = ReportDraft(line, answer.claim, ObjectProgress())
            starts = line.numbers.starts_refused
            fault = Fault("kills-worker", f"{answer.claim.ref}: {starts} starts, no end")
            return _ended(write_outcome(line, draft, draft.ended_by(fault)))
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
            return Forwarded("pending", duplicate=answer.kind == "duplicate")


def _deliver(line: Line, claim: Claim, progress: ObjectProgress) -> Forwarded:
    failpoint("at-claim")
    draft = ReportDraft(line, claim, progress)
    try:
        with line.process.live_claims.kept(line.ledger.claims, claim) as live:
            try:
                report = deliver(line, draft, live)
            except Fault as fault:
                report = draft.ended_by(fault)
            except (Stale, redis.RedisError):
                raise  # nothing may, or can, be written to the ledger
            except Exception as error:  # noqa: BLE001 - a bug becomes an outcome too
                log.emit("bug", object=str(claim.ref), error=repr(error), exc_info=True)
                report = draft.ended_by(Fault("internal", f"{claim.ref}: {error!r}"))
        failpoint("before-outcome")
        return _ended(write_outcome(line, draft, report))
    except Stale as stale:
        log.emit("object_overtaken", source=line.source, object=str(claim.ref), why=str(stale))
        return Forwarded("pending")


def _ended(written: WrittenOutcome) -> Forwarded:
    return Forwarded(written.outcome.status, written.outcome.reason, settle=written.settle)
