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

INFLATES = 16  # times its size as stored; ordinary CloudTrail files: 10 to 15, measured


class ObjectDelivery:
    """The delivery of one object; it can report to the ledger at any point."""

    def __init__(self, line: Line, claim: Claim, progress: ObjectProgress) -> None:
        self._line = line
        self._claim = claim
        self._progress = progress
        self._tracks: list[SinkProgress] = []
        self._filtered: Counter[str] = Counter()
        self._asked = self.began = line.clock.monotonic()
        self._read_at: dict[str, float] = {}  # breakers that a read closes: when it began
        self._etag = ""
        self._read = 0
        self.count = 0
        self.newest = 0.0  # the newest eventTime seen, as a Unix time

    def run(self, live: LiveClaim) -> Report:
        """Read the object, check it whole, then send its records to every sink.

        Raises Fault if it cannot be delivered now, Stale if another task took the object over.
        """
        line, numbers = self._line, self._line.numbers
        opened = self._open()
        try:
            if self._progress.delivered(opened.etag):
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
            # the sink accepts others: only some records are in doubt
            return msgspec.structs.replace(report, waits_for=str(sink_breaker(fault.where)))
        breakers = breakers_of_fault(self._line.source, fault, self._claim.ref)
        failed = {each.name for each in breakers}
        succeeded = [name for name in report.succeeded if name not in failed]
        return msgspec.structs.replace(report, breakers=breakers, succeeded=succeeded)

    def _accepts(self, sink: str) -> bool:
        """Whether *sink* accepted a record of this content, in this try or an earlier one."""
        return any(track.accepts for track in self._tracks if track.sink.name == sink)

    def refusals(self) -> list[tuple[str, int, str, str]]:
        """Return each refused record: the sink, the record's ordinal, why, and its eventID."""
        return [
            (track.sink.name, ordinal, f"{each.reason}: {each.detail}", track.ids[ordinal])
            for track in self._tracks
            for ordinal, each in sorted(track.refused.items())
        ]

    def _open(self) -> OpenedObject:
        self._asked = self._line.clock.monotonic()
        return self._line.reader.open(self._claim.ref)

    def _note_success(self, names: Iterable[str] = ()) -> None:
        """Note that S3 accepted the credentials; *names* are other breakers this closes."""
        source = self._line.source
        if self._line.reader.uses_source_credentials(
            self._claim.ref.bucket
        ):  # else the bucket has credentials of its own
            names = (*names, str(credentials_breaker(source)))
        self._read_at |= dict.fromkeys(names, self._asked)

    def _begin(self, etag: str, read: int, live: LiveClaim) -> None:
        """Start the progress of each sink from what earlier tries of the same content left."""
        self._etag, self._read = etag, read
        known = self._progress if self._progress.etag == etag else ObjectProgress()
        for sink in self._line.configured_sinks:
            name, vouched = sink.name, sink.name in known.vouching_sinks
            alone = set(known.rejected_alone.get(name, ()))
            believed = set(known.rejected.get(name, ()))
            doubted = believed | alone if vouched else believed
            left = known.in_doubt.get(name, ())
            track = SinkProgress(
                sink, live, alone=alone, believed=believed, doubted=frozenset(doubted),
                vouched=vouched, tried=bool(alone or believed or left),
                accepts=name in known.accepted,
            )  # fmt: skip
            if sink.commits == "batch":
                track.next = known.progress.get(name, 0)
                track.again = alone.union(believed, left)
            self._tracks.append(track)
        self._progress = known

    @contextmanager
    def _started(self) -> Iterator[None]:
        """Start a delivery to each sink, and drop those that the block does not finish."""
        origin = Origin(self._line.source, self._claim.ref, self._etag)
        try:
            for track in self._tracks:
                track.delivery = track.sink.start(origin)
            yield
        finally:
            for track in self._tracks:
                track.drop()

    def _note_progress(self) -> None:
        """Store the progress of sinks that commit each batch.

        If no sink does, a later try starts from the first record.
        """
        if any(track.sink.commits == "batch" for track in self._tracks):
            self._line.ledger.claims.note_progress(self._claim, self._etag, self._state())

    def _offer(self, batch: records.Batch) -> None:
        """Filter *batch*, and send each sink what it still has to get of it."""
        dropped = self._line.keep(batch.records)
        self._filtered.update(rule for rule in dropped if rule is not None)
        self.newest = max(self.newest, records.newest_event_time(batch.records))
        after = batch.first + len(batch.records)
        for track in self._tracks:
            wanted = [
                (batch.first + at, record)
                for at, (record, rule) in enumerate(zip(batch.records, dropped, strict=True))
                if rule is None and track.wants(batch.first + at)
            ]
            if wanted:
                with _step(track, "send"):
                    for part, accepted, patience in track.parts(wanted):
                        for piece in deliver(
                            track, part, track.sink.settings, accepted, probe_after=patience
                        ):
                            track.note(piece, part)
            if not track.held:
                track.next = max(track.next, after)

    def _finish(self, inflated: int) -> Report:
        for track in self._tracks:
            track.confirm()
        for track in self._tracks:
            with _step(track, "finish"):
                track.finish()
        reasons = {each.reason for track in self._tracks for each in track.refused.values()}
        if not reasons:
            outcome = Outcome("delivered")
        else:
            reason = reasons.pop() if len(reasons) == 1 else "rejected-records"
            told = len(self.refusals())
            outcome = Outcome("refused", reason, f"{told} of {self.count} records refused")
        return self._report(outcome, final=True, inflated=inflated)

    def _report(self, outcome: Outcome, *, final: bool, inflated: int = 0) -> Report:
        digest, announced = content_digest(self._etag), announced_content(self._claim.ref)
        at = dict(self._read_at)
        for track in self._tracks:
            if track.accepted is not None:
                at[str(sink_breaker(track.sink.name))] = track.accepted
        counts = final and outcome.status != "skipped"
        return Report(
            outcome,
            etag=self._etag,
            sums=self._sums(inflated) if counts else {},
            state={} if outcome.status == "delivered" else self._state(counts=counts),
            succeeded=list(at),
            succeeded_at={
                name: self._claim.claimed_at + int((then - self.began) * 1000)
                for name, then in at.items()
            },
            delivered=digest if announced in (b"", digest) else digest + announced,
        )

    def _state(self, *, counts: bool = False) -> dict[str, str | int]:
        """Return what a later try needs; with *counts*, also what the sums contain by now."""
        state: dict[str, str | int] = {"n": 1} if counts else {}
        for track in self._tracks:
            state |= track.state()
            if counts:
                name, refused = track.sink.name, len(track.refused)
                if (
                    self._progress.counted
                ):  # never count a record twice: other limits may refuse more
                    refused = min(refused, self._progress.refused.get(name, 0))
                state[f"c:{name}"] = refused
        return state

    def _sums(self, inflated: int) -> dict[str, int]:
        filtered = sum(self._filtered.values())
        sums: dict[str, int] = {}
        if not self._progress.counted:
            sums |= {"records:in": self.count, "bytes:read": self._read, "bytes:in": inflated}
            sums |= {f"records:filtered:{rule}": by for rule, by in self._filtered.items()}
        for track in self._tracks:
            name, refused = track.sink.name, len(track.refused)
            if track.truncated:
                sums[f"sink:{name}:truncated"] = track.truncated
            if self._progress.counted:
                before = self._progress.refused.get(name, 0)
                sums[f"sink:{name}:repaired"] = max(0, before - refused)
            else:
                sums[f"sink:{name}:delivered"] = self.count - filtered - refused
                sums[f"sink:{name}:filtered"] = filtered
                sums[f"sink:{name}:refused"] = refused
        return sums


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
