"""Deliver one object: read it from its bucket, check it, send its records to every sink."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from trailcourier import records
from trailcourier.breaker_name import credentials_breaker, sink_breaker
from trailcourier.errors import Fault
from trailcourier.ledger.claims import Claim, ObjectProgress
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import AUTHENTICATED, breakers_of_fault, breakers_of_read
from trailcourier.ledger.store import announced_content, content_digest
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.live_claims import LiveClaim
from trailcourier.line.sink_progress import SinkProgress
from trailcourier.models import Origin, Outcome
from trailcourier.objects.opened import OpenedObject
from trailcourier.observability import metrics
from trailcourier.reasons import REASONS
from trailcourier.sinks.batches import deliver

INFLATES = 16  # a text is this much larger than as stored; measured: 10 to 15


class ObjectDelivery:
    """One try to deliver one object; it can report to the ledger at any point."""

    def __init__(self, line: Line, claim: Claim, progress: ObjectProgress) -> None:
        self._line = line
        self._claim = claim
        self._earlier = progress  # of earlier tries; that of this one is by sink
        self._sink_progress: list[SinkProgress] = []
        self._filtered: Counter[str] = Counter()  # records by the rule that dropped them
        self._asked_at = self.began = line.clock.monotonic()
        self._succeeded_at: dict[str, float] = {}  # by breaker: when its request to S3 began
        self._etag = ""
        self._read = 0  # bytes of the object as stored
        self.count = 0  # records in the object
        self.newest = 0.0  # the newest eventTime seen, as a Unix time

    def run(self, live: LiveClaim) -> Report:
        """Read the object, check it whole, then send its records to every sink.

        A damaged object is found before any of its records is sent.  Raises Fault if the object
        cannot be delivered now, Stale if another task has taken it over.
        """
        line, numbers = self._line, self._line.numbers
        opened = self._open()
        try:
            if self._earlier.delivered(opened.etag):
                self._etag = opened.etag
                return self._report(Outcome("skipped", "already-delivered"), final=True)
            memory = line.process.budget.take(
                _memory(opened.size, line), before_waiting=opened.close, waiting=live.keep_going
            )
            with memory as waited:
                if waited:
                    opened = self._open()
                data = opened.body()
                live.move()
                self._note_success(breakers_of_read(line.source, self._claim.ref))
                self._begin(opened.etag, len(data), live)
                log = records.open_log(data, line.limits, live.keep_going)
                self.count = log.count
                with self._started():
                    batches = log.batches(records=numbers.batch_records, size=numbers.batch_bytes)
                    for batch in batches:
                        self._offer(batch)
                        live.move()
                        if batch.first + len(batch.records) < log.count:
                            self._note_progress()
                            failpoint("between-batches")
                    return self._finish(log.inflated)
        finally:
            opened.close()

    def report_fault(self, fault: Fault) -> Report:
        """Return the report of a delivery that *fault* ended."""
        if fault.reason == "stopping":
            return self._report(Outcome("pending", "stopping"), final=False)
        if fault.reason in AUTHENTICATED:
            self._note_success()
        status = REASONS[fault.reason].status
        report = self._report(Outcome(status, fault.reason, fault.detail), final=False)
        if fault.reason == "sink-rejects-all" and self._accepts(fault.where):
            # the sink accepts others, so its breaker does not count this: records are in doubt
            return msgspec.structs.replace(report, waits_for=str(sink_breaker(fault.where)))
        breakers = breakers_of_fault(self._line.source, fault, self._claim.ref)
        failed = {each.name for each in breakers}
        succeeded = [name for name in report.succeeded if name not in failed]
        return msgspec.structs.replace(report, breakers=breakers, succeeded=succeeded)

    def refusals(self) -> list[tuple[str, int, str, str]]:
        """Return each refused record: the sink, the record's ordinal, why, and its eventID."""
        return [
            (progress.sink.name, ordinal, f"{each.reason}: {each.detail}", progress.ids[ordinal])
            for progress in self._sink_progress
            for ordinal, each in sorted(progress.refused.items())
        ]

    def _accepts(self, sink: str) -> bool:
        """Whether *sink* accepted a record of this content, in this try or an earlier one."""
        return any(
            progress.accepts for progress in self._sink_progress if progress.sink.name == sink
        )

    def _open(self) -> OpenedObject:
        self._asked_at = self._line.clock.monotonic()
        return self._line.reader.open(self._claim.ref)

    def _note_success(self, names: Iterable[str] = ()) -> None:
        """Note that S3 accepted the credentials; *names* are other breakers this closes."""
        bucket = self._claim.ref.bucket
        if self._line.reader.uses_source_credentials(bucket):  # else it has credentials of its own
            names = (*names, str(credentials_breaker(self._line.source)))
        self._succeeded_at |= dict.fromkeys(names, self._asked_at)

    def _begin(self, etag: str, read: int, live: LiveClaim) -> None:
        """Start the progress of each sink from what earlier tries of the same content left."""
        self._etag, self._read = etag, read
        known = self._earlier if self._earlier.etag == etag else ObjectProgress()
        for sink in self._line.configured_sinks:
            name, vouched = sink.name, sink.name in known.vouching_sinks
            alone = set(known.rejected_alone.get(name, ()))
            believed = set(known.rejected.get(name, ()))
            # one of `alone` was rejected once; again is final if the sink accepted others since
            doubted = believed | alone if vouched else believed
            left = known.in_doubt.get(name, ())
            progress = SinkProgress(
                sink, live, alone=alone, believed=believed, doubted=frozenset(doubted),
                vouched=vouched, tried=bool(alone or believed or left),
                accepts=name in known.accepted,
            )  # fmt: skip
            if sink.commits == "batch":
                progress.next = known.progress.get(name, 0)
                progress.again = alone.union(believed, left)
            self._sink_progress.append(progress)
        self._earlier = known

    @contextmanager
    def _started(self) -> Iterator[None]:
        """Start a delivery to each sink, and drop those that the block does not finish."""
        origin = Origin(self._line.source, self._claim.ref, self._etag)
        try:
            for progress in self._sink_progress:
                progress.delivery = progress.sink.start(origin)
            yield
        finally:
            for progress in self._sink_progress:
                progress.drop()

    def _offer(self, batch: records.Batch) -> None:
        """Filter *batch*, and send each sink the records that it still needs."""
        dropped = self._line.keep(batch.records)
        self._filtered.update(rule for rule in dropped if rule is not None)
        self.newest = max(self.newest, records.newest_event_time(batch.records))
        after = batch.first + len(batch.records)
        for progress in self._sink_progress:
            wanted = [
                (batch.first + at, record)
                for at, (record, rule) in enumerate(zip(batch.records, dropped, strict=True))
                if rule is None and progress.wants(batch.first + at)
            ]
            if wanted:
                with _step(progress, "send"):
                    for part, accepted, probe_after in progress.parts(wanted):
                        for piece in deliver(
                            progress, part, progress.sink.settings, accepted,
                            probe_after=probe_after,
                        ):  # fmt: skip
                            progress.note(piece, part)
            if not progress.held:  # else a later try must send the held records again
                progress.next = max(progress.next, after)

    def _note_progress(self) -> None:
        """Store the progress of sinks that commit each batch.

        If no sink does, a later try starts from the first record.
        """
        if any(progress.sink.commits == "batch" for progress in self._sink_progress):
            self._line.ledger.claims.note_progress(self._claim, self._etag, self._state())

    def _finish(self, inflated: int) -> Report:
        """Finish each sink's delivery, and return the report of an object that was sent whole."""
        for progress in self._sink_progress:  # all of them, before any is finished
            progress.confirm()
        for progress in self._sink_progress:
            with _step(progress, "finish"):
                progress.finish()
        reasons = {
            each.reason for progress in self._sink_progress for each in progress.refused.values()
        }
        if not reasons:
            outcome = Outcome("delivered")
        else:
            reason = reasons.pop() if len(reasons) == 1 else "rejected-records"
            refused = len(self.refusals())
            outcome = Outcome("refused", reason, f"{refused} of {self.count} records refused")
        return self._report(outcome, final=True, inflated=inflated)

    def _report(self, outcome: Outcome, *, final: bool, inflated: int = 0) -> Report:
        """Return the report with *outcome*; *final* says that no record is left to send."""
        digest, announced = content_digest(self._etag), announced_content(self._claim.ref)
        at = dict(self._succeeded_at)
        for progress in self._sink_progress:
            if progress.accepted is not None:
                at[str(sink_breaker(progress.sink.name))] = progress.accepted
        counts = final and outcome.status != "skipped"
        return Report(
            outcome,
            etag=self._etag,
            sums=self._sums(inflated) if counts else {},
            state={} if outcome.status == "delivered" else self._state(counts=counts),
            succeeded=list(at),
            succeeded_at={  # by the broker's clock: the claim was granted when the delivery began
                name: self._claim.claimed_at + int((then - self.began) * 1000)
                for name, then in at.items()
            },
            # a notification may name the content by its version, so remember both names
            delivered=digest if announced in (b"", digest) else digest + announced,
        )

    def _state(self, *, counts: bool = False) -> dict[str, str | int]:
        """Return what a later try needs, as fields of ``o:<oid>`` (see ``ledger/schema.md``).

        With *counts*, the sums have counted the records, and the fields say how many.
        """
        state: dict[str, str | int] = {"n": 1} if counts else {}
        for progress in self._sink_progress:
            state |= progress.state()
            if counts:
                name, refused = progress.sink.name, len(progress.refused)
                if self._earlier.counted:  # a try that refuses more, by other limits, adds nothing
                    refused = min(refused, self._earlier.refused.get(name, 0))
                state[f"c:{name}"] = refused
        return state

    def _sums(self, inflated: int) -> dict[str, int]:
        """Return what to add to the sums; if an earlier try counted, only what it changed."""
        filtered = sum(self._filtered.values())
        sums: dict[str, int] = {}
        if not self._earlier.counted:
            sums |= {"records:in": self.count, "bytes:read": self._read, "bytes:in": inflated}
            sums |= {f"records:filtered:{rule}": n for rule, n in self._filtered.items()}
        for progress in self._sink_progress:
            name, refused = progress.sink.name, len(progress.refused)
            if progress.truncated:
                sums[f"sink:{name}:truncated"] = progress.truncated
            if self._earlier.counted:
                before = self._earlier.refused.get(name, 0)
                sums[f"sink:{name}:repaired"] = max(0, before - refused)
            else:
                sums[f"sink:{name}:delivered"] = self.count - filtered - refused
                sums[f"sink:{name}:filtered"] = filtered
                sums[f"sink:{name}:refused"] = refused
        return sums


@contextmanager
def _step(progress: SinkProgress, step: str) -> Iterator[None]:
    """Time the block as a *step* of the sink, and name the sink in a Fault that leaves it."""
    name = progress.sink.name
    try:
        with metrics.timed("sink_seconds", sink=name, step=step):
            yield
    except Fault as fault:
        raise Fault(fault.reason, fault.detail, where=name) from fault


def _memory(compressed: int, line: Line) -> int:
    """Return how many bytes of memory one object of *compressed* bytes is expected to take.

    These are its stored bytes, its text, the records cut from the text (both are there while the
    object is checked), and one batch in flight.
    """
    text = min(compressed * INFLATES, line.limits.small)
    return compressed + 2 * text + min(text, line.numbers.batch_bytes)
