"""Forward objects: claim them, deliver each to every sink, write their outcomes.

A worker forwards the objects that it took together as one group: one round trip claims all, their
reads overlap, and one round trip writes all outcomes.  Whatever happens to one of them leaves the
others alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import msgspec
import redis

from trailcourier.errors import Fault, Stale
from trailcourier.ledger.claims import Claim, ClaimAnswer, ClaimRequest, ObjectProgress
from trailcourier.ledger.outcomes import Report, WrittenOutcome
from trailcourier.line import Line
from trailcourier.line.delivery import deliver
from trailcourier.line.failpoint import failpoint
from trailcourier.line.live_claims import LiveClaim
from trailcourier.line.outcome import log_overtaken, write_outcomes
from trailcourier.line.read_ahead import ObjectRead, read_ahead
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


class ForwardTask(msgspec.Struct, frozen=True):
    """One object to forward, and the id of the task that asks for it; *key* is the caller's."""

    work: Work
    id: str
    key: int = 0


Ended = tuple[ForwardTask, Forwarded]
Granted = tuple[ForwardTask, Claim, ObjectProgress]

STOPPING = Forwarded("pending", "stopping")


def forward_object(line: Line, work: Work, task_id: str) -> Forwarded:
    """Deliver one object and return how that ended; see ``forward_objects``."""
    (((_, forwarded),),) = forward_objects(line, [ForwardTask(work, task_id)])
    return forwarded


def forward_objects(line: Line, tasks: Sequence[ForwardTask]) -> Iterator[Sequence[Ended]]:
    """Deliver objects of one source together, and yield those that have ended, part by part.

    A fault of an object or of a sink does not raise, because an exception would fail the chord.
    Raises RedisError while the broker is away; maintenance then dispatches the objects again that
    were not yielded.
    """
    gate, alone = line.process.gate, []
    with gate.shared() as inside:
        if not inside:  # the process is to stop
            yield [(task, STOPPING) for task in tasks]
            return
        answers = list(zip(tasks, _claim(line, tasks), strict=True))
        yield from _deliver_all(line, _granted(answers))
        for task, answer in answers:
            if answer.kind == "alone":
                alone.append(task)
            elif answer.kind != "go":
                yield [(task, _without_delivery(line, task.work, answer))]
    # An object that was started several times and never ended may have killed its workers.
    for task in alone:
        with gate.alone() as inside:
            yield [(task, _forward_alone(line, task) if inside else STOPPING)]


def _forward_alone(line: Line, task: ForwardTask) -> Forwarded:
    (answer,) = _claim(line, [task], alone=True)
    if answer.kind != "go":
        return _without_delivery(line, task.work, answer)
    (((_, forwarded),),) = _deliver_all(line, _granted([(task, answer)]))
    return forwarded


def _granted(answers: Sequence[tuple[ForwardTask, ClaimAnswer]]) -> list[Granted]:
    return [
        (task, answer.claim, answer.progress)
        for task, answer in answers
        if answer.kind == "go" and answer.claim
    ]


def _claim(line: Line, tasks: Sequence[ForwardTask], *, alone: bool = False) -> list[ClaimAnswer]:
    requests = [
        ClaimRequest(work.message, work.index, work.generation, line.clock.token(), id_, alone)
        for work, id_ in ((task.work, task.id) for task in tasks)
    ]
    return line.ledger.claims.claim_all(requests, sinks=line.sinks, host=line.process.fitness.host)


def _without_delivery(line: Line, work: Work, answer: ClaimAnswer) -> Forwarded:
    """Return how a forward ends that has nothing to deliver; ``ClaimAnswer`` explains each kind."""
    match answer.kind:
        case "refused" if answer.claim:
            draft = ReportDraft(line, answer.claim, ObjectProgress())
            starts = line.numbers.starts_refused
            fault = Fault("kills-worker", f"{answer.claim.ref}: {starts} starts, no end")
            return _ended(*write_outcomes(line, [(draft, draft.ended_by(fault))]))
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


class _Forward(msgspec.Struct):
    """A claimed object: what its delivery notes, its claim, and how far its reading is."""

    task: ForwardTask
    draft: ReportDraft
    live: LiveClaim
    read: ObjectRead
    ends: ExitStack  # its claim is no longer renewed


def _deliver_all(line: Line, granted: Sequence[Granted]) -> Iterator[Sequence[Ended]]:
    """Deliver claimed objects: first all that were read ahead, then the others one by one."""
    if not granted:
        return
    failpoint("at-claim")
    with ExitStack() as group:
        forwards = _begin(line, granted, group)
        ahead: list[_Forward] = []
        others: list[_Forward] = []
        for each in forwards:
            (ahead if each.read.body is not None or each.read.error else others).append(each)
        if ahead:
            yield _deliver_part(line, ahead)
        for each in others:
            yield _deliver_part(line, [each])


def _begin(line: Line, granted: Sequence[Granted], group: ExitStack) -> list[_Forward]:
    """Renew the claims from now on, and read ahead; the *group* ends both for what is left."""
    drafts, kept = [], []
    for _, claim, progress in granted:
        drafts.append(ReportDraft(line, claim, progress))
        ends = group.enter_context(ExitStack())
        live = ends.enter_context(line.process.live_claims.kept(line.ledger.claims, claim))
        kept.append((live, ends))
    reads = read_ahead(line, drafts)
    for read in reads:
        group.callback(read.close)
    return [
        _Forward(task, draft, live, read, ends)
        for (task, *_), draft, (live, ends), read in zip(granted, drafts, kept, reads, strict=True)
    ]


def _deliver_part(line: Line, part: Sequence[_Forward]) -> list[Ended]:
    """Deliver each object of *part*, then write all outcomes."""
    ended: list[tuple[_Forward, Report]] = []
    overtaken: list[Ended] = []
    for at, forward in enumerate(part):
        now = line.clock.monotonic()
        for waiting in part[at:]:  # what goes before it is no standstill of it
            waiting.live.moved = now
        try:
            ended.append((forward, _report(line, forward)))
        except Stale:
            log_overtaken(line, forward.draft.claim)
            overtaken.append((forward.task, Forwarded("pending")))
        finally:
            forward.read.close()
    for forward, _ in ended:
        forward.ends.close()
    if not ended:
        return overtaken
    failpoint("before-outcome")
    written = write_outcomes(line, [(each.draft, report) for each, report in ended])
    return overtaken + [
        (forward.task, _ended(each)) for (forward, _), each in zip(ended, written, strict=True)
    ]


def _report(line: Line, forward: _Forward) -> Report:
    """Deliver one object and return what to report; raises Stale and RedisError."""
    draft = forward.draft
    try:
        return deliver(line, draft, forward.live, forward.read)
    except Fault as fault:
        return draft.ended_by(fault)
    except (Stale, redis.RedisError):
        raise  # nothing may, or can, be written to the ledger
    except Exception as error:  # noqa: BLE001 - a bug becomes an outcome too
        ref = draft.claim.ref
        log.emit("bug", object=str(ref), error=repr(error), exc_info=True)
        return draft.ended_by(Fault("internal", f"{ref}: {error!r}"))


def _ended(written: WrittenOutcome | None) -> Forwarded:
    if written is None:
        return Forwarded("pending")
    return Forwarded(written.outcome.status, written.outcome.reason, settle=written.settle)
