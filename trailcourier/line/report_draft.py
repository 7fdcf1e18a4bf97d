"""The report of a delivery to the ledger, made from what the delivery has seen so far."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from trailcourier.breaker_name import credentials_breaker, sink_breaker
from trailcourier.errors import Fault
from trailcourier.ledger.claims import Claim, ObjectProgress
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import AUTHENTICATED, breakers_of_fault, breakers_of_read
from trailcourier.ledger.store import announced_content, content_digest
from trailcourier.line import Line
from trailcourier.line.sink_progress import SinkProgress
from trailcourier.models import Outcome
from trailcourier.reasons import REASONS


class ReportDraft:
    """What the delivery of one object has seen so far; it can become a report at any point.

    *progress* is what earlier tries left, *asked* when the last read began and *newest* the newest
    eventTime.
    """

    def __init__(self, line: Line, claim: Claim, progress: ObjectProgress) -> None:
        self._line = line
        self.claim = claim
        self.progress = progress
        self.tracks: Sequence[SinkProgress] = ()
        self.filtered: Counter[str] = Counter()  # by rule
        self.asked = self.began = line.clock.monotonic()
        self.count = 0  # records of the object
        self.newest = 0.0  # Unix time
        self._successes: dict[str, float] = {}  # breakers that a read closes: when it began
        self._etag = ""
        self._read = 0  # bytes

    def begin(self, etag: str, read: int, tracks: Sequence[SinkProgress]) -> None:
        """Note that a content was read, of *read* bytes, and how far each sink is with it."""
        self._note_success(breakers_of_read(self._line.source, self.claim.ref))
        if self.progress.etag != etag:
            self.progress = ObjectProgress()
        self._etag, self._read, self.tracks = etag, read, tracks

    def skipped(self, etag: str) -> Report:
        """Return the report of an object whose content was delivered before."""
        self._etag = etag
        return self._report(Outcome("skipped", "already-delivered"))

    def finished(self, inflated: int) -> Report:
        """Return the report of an object that every sink has; *inflated* is its text's length."""
        reasons = {each.reason for track in self.tracks for each in track.refused.values()}
        if not reasons:
            return self._report(Outcome("delivered"), self._sums(inflated))
        reason = reasons.pop() if len(reasons) == 1 else "rejected-records"
        detail = f"{len(self.refusals())} of {self.count} records refused"
        return self._report(Outcome("refused", reason, detail), self._sums(inflated))

    def ended_by(self, fault: Fault) -> Report:
        """Return the report of a delivery that *fault* ended."""
        if fault.reason == "stopping":
            return self._report(Outcome("pending", "stopping"))
        if fault.reason in AUTHENTICATED:
            self._note_success()
        status = REASONS[fault.reason].status
        report = self._report(Outcome(status, fault.reason, fault.detail))
        if fault.reason == "sink-rejects-all" and self._accepts(fault.where):
            # the sink accepts others: only some records are in doubt
            return msgspec.structs.replace(report, waits_for=str(sink_breaker(fault.where)))
        breakers = breakers_of_fault(self._line.source, fault, self.claim.ref)
        failed = {each.name for each in breakers}
        succeeded = [name for name in report.succeeded if name not in failed]
        return msgspec.structs.replace(report, breakers=breakers, succeeded=succeeded)

    def refusals(self) -> list[tuple[str, int, str, str]]:
        """Return each refused record: the sink, the record's ordinal, why, and its eventID."""
        return [
            (track.sink.name, ordinal, f"{each.reason}: {each.detail}", track.ids[ordinal])
            for track in self.tracks
            for ordinal, each in sorted(track.refused.items())
        ]

    def note_progress(self) -> None:
        """Store the progress of sinks that commit each batch.

        If no sink does, a later try starts from the first record.
        """
        if any(track.sink.commits == "batch" for track in self.tracks):
            self._line.ledger.claims.note_progress(self.claim, self._etag, self._state())

    def _note_success(self, names: Iterable[str] = ()) -> None:
        """Note that S3 accepted the credentials; *names* are other breakers this closes."""
        # a bucket may have credentials of its own
        if self._line.reader.uses_source_credentials(self.claim.ref.bucket):
            names = (*names, str(credentials_breaker(self._line.source)))
        self._successes |= dict.fromkeys(names, self.asked)

    def _accepts(self, sink: str) -> bool:
        """Whether *sink* accepted a record of this content, in this try or an earlier one."""
        return any(track.accepts for track in self.tracks if track.sink.name == sink)

    def _report(self, outcome: Outcome, sums: dict[str, int] | None = None) -> Report:
        """Return the report of *outcome*; *sums* are given where the records are counted."""
        digest, announced = content_digest(self._etag), announced_content(self.claim.ref)
        at = dict(self._successes)
        for track in self.tracks:
            if track.accepted is not None:
                at[str(sink_breaker(track.sink.name))] = track.accepted
        state = {} if outcome.status == "delivered" else self._state(counts=sums is not None)
        return Report(
            outcome,
            etag=self._etag,
            sums=sums or {},
            state=state,
            succeeded=list(at),
            succeeded_at={
                name: self.claim.claimed_at + int((then - self.began) * 1000)
                for name, then in at.items()
            },
            delivered=digest if announced in (b"", digest) else digest + announced,
        )

    def _state(self, *, counts: bool = False) -> dict[str, str | int]:
        """Return what a later try needs; with *counts*, also what the sums contain by now."""
        state: dict[str, str | int] = {"n": 1} if counts else {}
        for track in self.tracks:
            state |= track.state()
            if counts:
                name, refused = track.sink.name, len(track.refused)
                if self.progress.counted:  # count no record twice: other limits may refuse more
                    refused = min(refused, self.progress.refused.get(name, 0))
                state[f"c:{name}"] = refused
        return state

    def _sums(self, inflated: int) -> dict[str, int]:
        filtered = self.filtered.total()
        sums: dict[str, int] = {}
        if not self.progress.counted:
            sums |= {"records:in": self.count, "bytes:read": self._read, "bytes:in": inflated}
            sums |= {f"records:filtered:{rule}": by for rule, by in self.filtered.items()}
        for track in self.tracks:
            name, refused = track.sink.name, len(track.refused)
            if track.truncated:
                sums[f"sink:{name}:truncated"] = track.truncated
            if self.progress.counted:
                before = self.progress.refused.get(name, 0)
                sums[f"sink:{name}:repaired"] = max(0, before - refused)
            else:
                sums[f"sink:{name}:delivered"] = self.count - filtered - refused
                sums[f"sink:{name}:filtered"] = filtered
                sums[f"sink:{name}:refused"] = refused
        return sums
