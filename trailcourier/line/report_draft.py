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

    *earlier* is the progress that earlier tries left.  *asked_at* is when the last request to S3
    began, *newest* the newest eventTime.
    """

    def __init__(self, line: Line, claim: Claim, progress: ObjectProgress) -> None:
        self._line = line
        self.claim = claim
        self.earlier = progress  # that of this try is by sink
        self.sink_progress: Sequence[SinkProgress] = ()
        self.filtered: Counter[str] = Counter()  # records by the rule that dropped them
        self.asked_at = self.began = line.clock.monotonic()
        self.count = 0  # records of the object
        self.newest = 0.0  # Unix time
        self._succeeded_at: dict[str, float] = {}  # by breaker: when its request to S3 began
        self._etag = ""
        self._read = 0  # bytes

    def begin(self, etag: str, read: int, sink_progress: Sequence[SinkProgress]) -> None:
        """Note that a content was read, of *read* bytes, and how far each sink is with it."""
        self._note_success(breakers_of_read(self._line.source, self.claim.ref))
        if self.earlier.etag != etag:
            self.earlier = ObjectProgress()
        self._etag, self._read, self.sink_progress = etag, read, sink_progress

    def skipped(self, etag: str) -> Report:
        """Return the report of an object whose content was delivered before."""
        self._etag = etag
        return self._report(Outcome("skipped", "already-delivered"))

    def finished(self, inflated: int) -> Report:
        """Return the report of an object that every sink has; *inflated* is its text's length."""
        reasons = {
            each.reason for progress in self.sink_progress for each in progress.refused.values()
        }
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
            # the sink accepts others, so its breaker does not count this: records are in doubt
            return msgspec.structs.replace(report, waits_for=str(sink_breaker(fault.where)))
        breakers = breakers_of_fault(self._line.source, fault, self.claim.ref)
        failed = {each.name for each in breakers}
        succeeded = [name for name in report.succeeded if name not in failed]
        return msgspec.structs.replace(report, breakers=breakers, succeeded=succeeded)

    def refusals(self) -> list[tuple[str, int, str, str]]:
        """Return each refused record: the sink, the record's ordinal, why, and its eventID."""
        return [
            (progress.sink.name, ordinal, f"{each.reason}: {each.detail}", progress.ids[ordinal])
            for progress in self.sink_progress
            for ordinal, each in sorted(progress.refused.items())
        ]

    def note_progress(self) -> None:
        """Store the progress of sinks that commit each batch.

        If no sink does, a later try starts from the first record.
        """
        if any(progress.sink.commits == "batch" for progress in self.sink_progress):
            self._line.ledger.claims.note_progress(self.claim, self._etag, self._state())

    def _note_success(self, names: Iterable[str] = ()) -> None:
        """Note that S3 accepted the credentials; *names* are other breakers this closes."""
        bucket = self.claim.ref.bucket
        if self._line.reader.uses_source_credentials(bucket):  # else it has credentials of its own
            names = (*names, str(credentials_breaker(self._line.source)))
        self._succeeded_at |= dict.fromkeys(names, self.asked_at)

    def _accepts(self, sink: str) -> bool:
        """Whether *sink* accepted a record of this content, in this try or an earlier one."""
        return any(
            progress.accepts for progress in self.sink_progress if progress.sink.name == sink
        )

    def _report(self, outcome: Outcome, sums: dict[str, int] | None = None) -> Report:
        """Return the report of *outcome*; *sums* are given where the records are counted."""
        digest, announced = content_digest(self._etag), announced_content(self.claim.ref)
        at = dict(self._succeeded_at)
        for progress in self.sink_progress:
            if progress.accepted_at is not None:
                at[str(sink_breaker(progress.sink.name))] = progress.accepted_at
        state = {} if outcome.status == "delivered" else self._state(counts=sums is not None)
        return Report(
            outcome,
            etag=self._etag,
            sums=sums or {},
            state=state,
            succeeded=list(at),
            succeeded_at={  # by the broker's clock: the claim was granted when the delivery began
                name: self.claim.claimed_at + int((then - self.began) * 1000)
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
        for progress in self.sink_progress:
            state |= progress.state()
            if counts:
                name, refused = progress.sink.name, len(progress.refused)
                if self.earlier.counted:  # a try that refuses more, by other limits, adds nothing
                    refused = min(refused, self.earlier.refused_counted.get(name, 0))
                state[f"c:{name}"] = refused
        return state

    def _sums(self, inflated: int) -> dict[str, int]:
        """Return what to add to the sums; if an earlier try counted, only what it changed."""
        filtered = self.filtered.total()
        sums: dict[str, int] = {}
        if not self.earlier.counted:
            sums |= {"records:in": self.count, "bytes:read": self._read, "bytes:in": inflated}
            sums |= {f"records:filtered:{rule}": n for rule, n in self.filtered.items()}
        for progress in self.sink_progress:
            name, refused = progress.sink.name, len(progress.refused)
            if progress.truncated:
                sums[f"sink:{name}:truncated"] = progress.truncated
            if self.earlier.counted:
                before = self.earlier.refused_counted.get(name, 0)
                sums[f"sink:{name}:repaired"] = max(0, before - refused)
            else:
                sums[f"sink:{name}:delivered"] = self.count - filtered - refused
                sums[f"sink:{name}:filtered"] = filtered
                sums[f"sink:{name}:refused"] = refused
        return sums
