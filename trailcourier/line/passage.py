"""One object's way from its bucket into every sink, and what to report of it."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter

import msgspec

from trailcourier import metrics, records
from trailcourier.dispositions import REASONS
from trailcourier.errors import Fault
from trailcourier.ledger.claims import Claim, Standing
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import failing, reading
from trailcourier.ledger.store import announced_content, content_digest
from trailcourier.line import Line
from trailcourier.line.failpoint import failpoint
from trailcourier.line.holds import Hold
from trailcourier.models import Origin, Outcome
from trailcourier.sinks import Accepted, Delivery, Outlet
from trailcourier.sinks.sending import Numbered, Refused, Taken

INFLATES = 16  # times; CloudTrail's files 10 to 15, measured on ordinary ones


class Track(msgspec.Struct):
    """How far one sink is: *next* input record, what it refused, and what to offer it again.

    *truncated* counts what was cut to size for it in this try, *ids* are eventIDs of the refused;
    it last *accepted* a record at this time, of the line's clock, and *lately* if one of the last
    batch.  *vouched* says that it accepted others since it first rejected every record of this
    object that it was offered.
    """

    outlet: Outlet
    next: int = 0
    refused: dict[int, Refused] = {}
    again: frozenset[int] = frozenset()
    delivery: Delivery | None = None
    truncated: int = 0
    ids: dict[int, str] = {}
    accepted: float | None = None
    lately: bool = False
    vouched: bool = False

    def parts(self, wanted: Sequence[Numbered]) -> Iterator[tuple[Sequence[Numbered], Accepted]]:
        """Cut *wanted* into what it rejected before and what is new, each with what that proves."""
        lately, self.lately = self.lately, False
        before = [each for each in wanted if each[0] in self.again]
        if before:
            yield before, "since"
        if new := [each for each in wanted if each[0] not in self.again] if before else wanted:
            accepts = lately or self.lately
            yield new, "since" if self.vouched else "before" if accepts else "nothing"

    def note(self, piece: Taken, of: Sequence[Numbered], now: float) -> None:
        """Note a piece of *of* that is settled *now*."""
        self.next = max(self.next, piece.next)
        for each in piece.refused:
            self.refused[each.ordinal] = each
            at = bisect_left(of, each.ordinal, key=itemgetter(0))
            self.ids[each.ordinal] = records.event_id(of[at][1])
        self.again |= frozenset(piece.left)
        self.truncated += piece.truncated
        if piece.delivered:
            self.accepted, self.lately = now, True

    def wants(self, ordinal: int) -> bool:
        """Whether this sink has not accepted the record yet."""
        return ordinal >= self.next or ordinal in self.again


class Passage:
    """What is known of one object while it is carried; a report of it can be made at any point."""

    def __init__(self, line: Line, claim: Claim, standing: Standing) -> None:
        self._line = line
        self._claim = claim
        self._standing = standing
        self._tracks: list[Track] = []
        self._filtered: Counter[str] = Counter()
        self._succeeded: list[str] = []
        self._etag = ""
        self._read = 0
        self._reached = 0  # ordinal of the next record no sink was offered in this try
        self.count = 0
        self.newest = 0.0  # the newest eventTime seen, as a Unix time
        self.began = line.clock.monotonic()

    def run(self, hold: Hold, stopping: threading.Event) -> Report:
        """Read the object, check it whole, then send it to every sink.

        Raises Fault for what keeps it from being carried, Stale when another copy took over.
        """
        line, ref = self._line, self._claim.ref

        def going() -> None:
            hold.move()  # waiting for memory is no fault of this object's: its claim is kept
            if stopping.is_set():
                raise Fault("stopping", "the worker was told to stop")

        opened = line.reader.open(ref)
        try:
            if self._standing.delivered(opened.etag):
                self._etag = opened.etag
                return self._report(Outcome("skipped", "already-delivered"), final=True)
            need = _memory(opened.size, line)
            take = line.process.budget.take
            with take(need, before_waiting=opened.close, waiting=going) as waited:
                if waited:
                    opened = line.reader.open(ref)
                data = opened.body()
                hold.move()
                self._begin(opened.etag, len(data))
                return self._send(records.open_log(data, line.limits, going), hold, stopping)
        finally:
            opened.close()

    def fault(self, fault: Fault) -> Report:
        """The report of an object that could not be carried."""
        if fault.reason == "stopping":
            return self._report(Outcome("pending", "stopping"), final=False)
        status = REASONS[fault.reason].status
        report = self._report(Outcome(status, fault.reason, fault.detail), final=False)
        breakers = failing(self._line.source, fault, self._claim.ref)
        failed = {each.name for each in breakers}
        succeeded = [name for name in report.succeeded if name not in failed]
        return msgspec.structs.replace(report, breakers=breakers, succeeded=succeeded)

    def refusals(self) -> list[tuple[str, int, str, str]]:
        """Each record a sink refused: the sink, the record's ordinal, why, and its eventID."""
        return [
            (track.outlet.name, ordinal, f"{each.reason}: {each.detail}", track.ids[ordinal])
            for track in self._tracks
            for ordinal, each in sorted(track.refused.items())
        ]

    def _begin(self, etag: str, read: int) -> None:
        self._etag, self._read = etag, read
        source = self._line.source
        bucket = self._claim.ref.bucket
        self._succeeded += reading(source, self._claim.ref)
        if self._line.reader.shares(bucket):  # a role for this bucket says nothing of others
            self._succeeded.append(f"credentials:{source}")
        known = self._standing if self._standing.etag == etag else Standing()
        for outlet in self._line.outlets:
            by_batch = outlet.commits == "batch"
            done = known.progress.get(outlet.name, 0) if by_batch else 0
            again = frozenset(known.rejected.get(outlet.name, ())) if by_batch else frozenset()
            vouched = outlet.name in known.vouched
            self._tracks.append(Track(outlet, done, {}, again, vouched=vouched))
        self._standing = known

    def _send(self, log: records.Log, hold: Hold, stopping: threading.Event) -> Report:
        line, numbers = self._line, self._line.numbers
        self.count = log.count
        origin = Origin(line.source, self._claim.ref, self._etag)
        try:
            for track in self._tracks:
                track.delivery = track.outlet.start(origin)
            for batch in log.batches(records=numbers.batch_records, size=numbers.batch_bytes):
                self._offer(batch, hold, stopping)
                hold.move()
                if batch.first + len(batch.records) < log.count:
                    self._note_progress()
                    failpoint("between-batches")
            return self._finish(log.inflated)
        finally:
            for track in self._tracks:
                if track.delivery is not None:
                    track.delivery.drop()

    def _note_progress(self) -> None:
        """Note how far the sinks are, those that keep what they have taken.

        Where none does, every try begins anew: a start without an end stays one.
        """
        if any(track.outlet.commits == "batch" for track in self._tracks):
            self._line.ledger.claims.progress(self._claim, self._etag, self._state())

    def _offer(self, batch: records.Batch, hold: Hold, stopping: threading.Event) -> None:
        dropped = self._line.keep(batch.records)
        self._filtered.update(rule for rule in dropped if rule is not None)
        self.newest = max(self.newest, records.newest(batch.records))
        after = batch.first + len(batch.records)
        for track in self._tracks:
            wanted = [
                (batch.first + at, record)
                for at, (record, rule) in enumerate(zip(batch.records, dropped, strict=True))
                if rule is None and track.wants(batch.first + at)
            ]
            if wanted and track.delivery is not None:
                self._feed(track, track.delivery, wanted, hold, stopping)
            track.next = max(track.next, after)
        self._reached = after

    def _feed(
        self, track: Track, delivery: Delivery, wanted: Sequence[Numbered],
        hold: Hold, stopping: threading.Event,
    ) -> None:  # fmt: skip
        name = track.outlet.name
        try:
            with metrics.timed("sink_seconds", sink=name, step="send"):
                for part, accepted in track.parts(wanted):
                    for piece in track.outlet.send(
                        delivery, part, stopping=stopping, accepted=accepted
                    ):
                        track.note(piece, part, self._line.clock.monotonic())
                        hold.move()  # a batch that goes record by record may outlast a claim
        except Fault as fault:
            raise Fault(fault.reason, fault.detail, where=name) from fault

    def _finish(self, inflated: int) -> Report:
        for track in self._tracks:
            if track.delivery is not None:
                name = track.outlet.name
                try:
                    with metrics.timed("sink_seconds", sink=name, step="finish"):
                        track.delivery.finish()
                except Fault as fault:
                    raise Fault(fault.reason, fault.detail, where=name) from fault
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
        now, took = self._line.clock.monotonic(), {}
        for track in self._tracks:
            if track.accepted is not None:
                took[f"sink:{track.outlet.name}"] = int((now - track.accepted) * 1000)
        counts = final and outcome.status != "skipped"
        return Report(
            outcome,
            etag=self._etag,
            sums=self._sums(inflated) if counts else {},
            state=self._state() | ({"n": 1} if counts else {}),
            succeeded=[*self._succeeded, *took],
            ago=took,
            delivered=digest if announced in (b"", digest) else digest + announced,
        )

    def _state(self) -> dict[str, str | int]:
        state: dict[str, str | int] = {}
        for track in self._tracks:
            if track.outlet.commits == "batch":
                state[f"p:{track.outlet.name}"] = track.next
            waiting = {ordinal for ordinal in track.again if ordinal >= self._reached}
            if track.again or track.refused:
                refused = sorted(waiting | set(track.refused))
                state[f"j:{track.outlet.name}"] = msgspec.json.encode(refused).decode()
        return state

    def _sums(self, inflated: int) -> dict[str, int]:
        filtered = sum(self._filtered.values())
        sums: dict[str, int] = {}
        if not self._standing.counted:
            sums |= {"records:in": self.count, "bytes:read": self._read, "bytes:in": inflated}
            sums |= {f"records:filtered:{rule}": by for rule, by in self._filtered.items()}
        for track in self._tracks:
            name, refused = track.outlet.name, len(track.refused)
            if track.truncated:
                sums[f"sink:{name}:truncated"] = track.truncated
            if self._standing.counted:
                before = set(self._standing.rejected.get(name, ()))
                sums[f"sink:{name}:repaired"] = len(before - set(track.refused))
            else:
                sums[f"sink:{name}:delivered"] = self.count - filtered - refused
                sums[f"sink:{name}:filtered"] = filtered
                sums[f"sink:{name}:refused"] = refused
        return sums


def _memory(compressed: int, line: Line) -> int:
    """The bytes one object is expected to take.

    As stored, its text and the records cut from it (both at once while it is checked), and a batch
    on its way.
    """
    text = min(compressed * INFLATES, line.limits.small)
    return compressed + 2 * text + min(text, line.numbers.batch_bytes)
