"""Carry one object: claim it, take it through, and write down what became of it."""

import threading

import msgspec
import redis

from trailcourier import metrics, observe
from trailcourier.dispositions import REASONS
from trailcourier.errors import Fault, Stale
from trailcourier.ledger.claims import Answer, Claim, Standing
from trailcourier.ledger.outcomes import Report, Written
from trailcourier.ledger.quarantine import Entry, RejectedRecord, entry_id
from trailcourier.ledger.sums import as_metrics
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.passage import Passage
from trailcourier.line.work import Work
from trailcourier.models import Outcome


class Carried(msgspec.Struct, frozen=True):
    """The end of one forward.

    *ours* says that the live claim belongs to this very task, which answers for itself elsewhere;
    *settle* that a settle is to be asked for: its message has no open object left.
    """

    status: str
    reason: str = ""
    ours: bool = False
    settle: bool = False

    @property
    def told(self) -> str:
        """The status, and the reason if it has one, as a person reads it in Flower."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


def carry(line: Line, work: Work, task_id: str, stopping: threading.Event) -> Carried:
    """Carry one object and answer what became of it; nothing an object can do raises."""
    with line.process.gate.shared(stopping) as inside:
        if not inside:
            return Carried("pending", "stopping")
        answer = _claim(line, work, task_id, alone=False)
        if answer.kind != "alone":
            return _act(line, work, answer, stopping)
    # it was started and never ended, again and again: it may have killed its process each time
    with line.process.gate.alone(stopping) as inside:
        if not inside:
            return Carried("pending", "stopping")
        return _act(line, work, _claim(line, work, task_id, alone=True), stopping)


def _claim(line: Line, work: Work, task_id: str, *, alone: bool) -> Answer:
    return line.ledger.claims.claim(
        work.message,
        work.index,
        work.generation,
        token=line.clock.token(),
        task_id=task_id,
        sinks=line.sinks,
        alone=alone,
    )


def _act(line: Line, work: Work, answer: Answer, stopping: threading.Event) -> Carried:
    match answer.kind:
        case "go" if answer.claim:
            return _work(line, answer.claim, answer.standing, stopping)
        case "refused" if answer.claim:
            passage = Passage(line, answer.claim, Standing())
            times = line.numbers.starts_refused
            fault = Fault("kills-worker", f"{answer.claim.ref}: {times} starts, no end")
            return _finish(line, answer.claim, passage, passage.fault(fault))
        case "done":
            status, _, reason = answer.outcome.partition(":")
            if reason == "already-delivered":
                observe.fact("object_skipped", source=line.source, object=work.name, reason=reason)
            return Carried(status, reason, settle=answer.settle)
        case "parked":
            observe.fact("object_parked", source=line.source, object=work.name,
                         reason="breaker-open", detail=answer.outcome)  # fmt: skip
            return Carried("parked", "breaker-open")
        case "ours":
            return Carried("pending", ours=True)
        case _:
            return Carried("pending")


def _work(line: Line, claim: Claim, standing: Standing, stopping: threading.Event) -> Carried:
    failpoint("at-claim")
    passage = Passage(line, claim, standing)
    try:
        with line.process.holds.held(line.ledger.claims, claim) as hold:
            try:
                report = passage.run(hold, stopping)
            except Fault as fault:
                report = passage.fault(fault)
            except (Stale, redis.RedisError):
                raise  # the broker is away: nothing can be written down, and tend starts anew
            except Exception as error:  # noqa: BLE001  whatever it is, it becomes an outcome
                observe.fact("bug", object=str(claim.ref), error=repr(error), exc_info=True)
                report = passage.fault(Fault("internal", f"{claim.ref}: {error!r}"))
        failpoint("before-outcome")
        return _finish(line, claim, passage, report)
    except Stale as stale:
        observe.fact("object_overtaken", source=line.source, object=str(claim.ref), why=str(stale))
        return Carried("pending")


def _finish(line: Line, claim: Claim, passage: Passage, report: Report) -> Carried:
    fitness, entry = line.process.fitness, _entry(claim, passage, report.outcome)
    written = line.ledger.outcomes.finish(
        claim, report, jitter=line.clock.jitter(), host=fitness.host, entry=entry
    )
    failpoint("after-outcome")
    outcome = written.outcome
    fitness.closed(written.closed)
    if written.unfit:
        fitness.failed(written.unfit, f"{outcome.reason}: {outcome.detail}")
    _say(line, claim, passage, report, written)
    if written.opened:
        observe.fact("breaker_opened", source=line.source, breaker=written.opened,
                     why=f"{outcome.reason}: {outcome.detail}")  # fmt: skip
    for breaker in written.closed:
        observe.fact("breaker_closed", source=line.source, breaker=breaker)
    return Carried(outcome.status, outcome.reason, settle=written.settle)


def _entry(claim: Claim, passage: Passage, outcome: Outcome) -> Entry | None:
    """The entry of an object that is refused, or may be where it has used up its tries."""
    reason = REASONS.get(outcome.reason)
    if outcome.status != "refused" and not (reason and reason.tries):
        return None
    refusals = tuple(RejectedRecord(*each) for each in passage.refusals())
    return Entry(
        id=entry_id(claim.ref),
        kind="object",
        reason=outcome.reason,
        detail=outcome.detail or (reason.text if reason else ""),
        ref=claim.ref,
        message=claim.message,
        records=refusals,
        records_in_all=len(refusals),
    )


def _say(line: Line, claim: Claim, passage: Passage, report: Report, written: Written) -> None:
    outcome = written.outcome
    seconds = line.clock.monotonic() - passage.began
    fields: dict[str, object] = {"source": line.source, "object": str(claim.ref)}
    if outcome.reason:
        fields |= {"reason": outcome.reason, "detail": outcome.detail}
    if report.sums:
        fields |= {"records": passage.count, **dict(report.sums)}
    event = "object_refused_again" if written.again else f"object_{outcome.status}"
    observe.fact(event, **fields, seconds=round(seconds, 3))
    metrics.measured("object_seconds", seconds, source=line.source)
    if outcome.status in ("delivered", "refused"):  # tries used up may have made it another
        for name, by, labels in as_metrics(line.source, report.sums, outcome):
            if by:
                metrics.count(name, by, **labels)
    if outcome.status == "delivered" and passage.newest:
        lag = max(0.0, line.clock.now() - passage.newest)
        metrics.measured("event_lag_seconds", lag, source=line.source)
