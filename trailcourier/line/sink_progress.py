"""The progress of one object in one sink, during one try."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import itemgetter

import msgspec

from trailcourier import records
from trailcourier.errors import Fault
from trailcourier.ledger.claims import ObjectProgress
from trailcourier.line.live_claims import LiveClaim
from trailcourier.sinks import PROBE_AFTER, Accepted, ConfiguredSink, Delivery
from trailcourier.sinks.batches import NumberedRecord, RefusedRecord, SettledPiece


class SinkProgress(msgspec.Struct):
    """The progress of one sink.  Records are named by their ordinals in the log file.

    A rejection is an answer of the sink; a refusal is final, and follows from rejections as
    ``docs/decisions/012`` says.

    | field | meaning | kept as |
    |---|---|---|
    | *next* | the first record that was not sent yet | ``p`` |
    | *again* | records before *next* to send again: they were left open | ``l`` |
    | *alone* | records rejected when sent alone, and nothing was accepted since | ``a`` |
    | *believed* | records refused in an earlier try | ``j`` |
    | *refused* | records refused in this try; *ids* has their eventIDs | ``j`` |
    | *accepts* | whether the sink accepted a record of this content, in any try | ``o`` |
    | *tried* | whether one of these lists was stored, and must be kept up to date | |
    | *vouched* | whether the sink accepted other records since it rejected those in *alone* | |
    | *doubted* | records that are refused if the sink rejects them alone once more | |
    | *held* | records in doubt, to send with the next batch; *why* is the sink's last answer | |
    | *accepted* | when the last request that the sink accepted began; None before | |
    | *lately* | whether the sink accepted a request of the last batch | |
    | *truncated* | how many records were cut to size in this try | |

    "Kept as" names the field of ``o:<oid>`` in ``ledger/schema.md``, which ``ObjectProgress``
    brings back.  Each request first records progress on the *live* claim: a batch that is sent
    record by record may outlast a claim, and no request begins once the worker stops.
    """

    sink: ConfiguredSink
    live: LiveClaim
    next: int = 0
    refused: dict[int, RefusedRecord] = {}
    again: set[int] = set()
    alone: set[int] = set()
    believed: set[int] = set()
    doubted: frozenset[int] = frozenset()
    vouched: bool = False
    accepts: bool = False
    tried: bool = False
    delivery: Delivery | None = None
    truncated: int = 0
    ids: dict[int, str] = {}
    accepted: float | None = None
    lately: bool = False
    held: dict[int, bytes] = {}
    why: str = ""

    def send(self, batch: Sequence[bytes]) -> None:
        """Send *batch* to the sink; if it accepts, note when the request began."""
        if self.delivery is None:
            raise RuntimeError("a delivery is sent to before it was started")
        began = self.live.keep_going()
        self.delivery.send(batch)
        self.lately = True
        if self.sink.commits == "batch":
            self.accepted, self.accepts = began, True

    def finish(self) -> None:
        """Finish the delivery: what was sent becomes final."""
        if self.delivery is not None:
            began = self.live.move()  # all is sent: it finishes even if the worker stops
            self.delivery.finish()
            if self.sink.commits == "object":
                self.accepted, self.accepts = began, True

    def drop(self) -> None:
        """Abandon the delivery without finishing it."""
        if self.delivery is not None:
            self.delivery.drop()

    def parts(
        self, wanted: Sequence[NumberedRecord]
    ) -> Iterator[tuple[Sequence[NumberedRecord], Accepted, int]]:
        """Split *wanted* into doubted records and others, each with *accepted* and *probe_after*.

        ``deliver`` explains these two.  A sink that vouched may reject four requests in a row for
        each record it has refused: so an object of bad records alone needs few tries.
        """
        lately, self.lately = self.lately, False
        doubted = [each for each in wanted if each[0] in self.doubted]
        if doubted:
            last = doubted[-1][0]
            # `next` passes the records before these, which are not sent yet
            self.again |= {*self.held, *(at for at, _ in wanted if at <= last)}
            self.next = max(self.next, last + 1)
            yield doubted, "since", PROBE_AFTER
        others = [each for each in wanted if each[0] not in self.doubted] if doubted else wanted
        if others:
            accepted_lately = (lately or self.lately) and not self.held
            yield (
                [*self.held.items(), *others] if self.held else others,
                "before" if accepted_lately or self.vouched else "nothing",
                max(PROBE_AFTER, 4 * len(self.refused)) if self.vouched else PROBE_AFTER,
            )

    def note(self, piece: SettledPiece, of: Sequence[NumberedRecord]) -> None:
        """Record the outcome of one piece of the records *of* that were sent."""
        self.next = max(self.next, piece.next)
        for each in piece.refused:
            self.refused[each.ordinal] = each
            self.ids[each.ordinal] = records.event_id(_record(of, each.ordinal))
        self.truncated += piece.truncated
        if self.again or self.alone or self.believed or self.held:
            settled = {at for at, _ in of if at < piece.next}.difference(
                piece.skipped, piece.in_doubt
            )
            self.again -= settled
            self.alone -= settled
            self.believed -= settled
            self.held = {at: each for at, each in self.held.items() if at not in settled}
        self.again |= set(piece.skipped)
        self.alone |= set(piece.rejected_alone)
        if piece.in_doubt:
            self.held = {at: _record(of, at) for at in piece.in_doubt}
            self.why = piece.last_rejection

    def wants(self, ordinal: int) -> bool:
        """Whether the record must still be sent to the sink."""
        return ordinal >= self.next or ordinal in self.again

    def state(self) -> dict[str, str | int]:
        """Return what a later try needs.

        *next* and *again* are part of it only if the sink commits each batch: another sink gets all
        records again.
        """
        name = self.sink.name
        state: dict[str, str | int] = {}
        lists = {"a:": self.alone, "j:": self.believed.union(self.refused)}
        if self.accepts:
            state[f"o:{name}"] = 1
        if self.sink.commits == "batch":
            state[f"p:{name}"] = self.next
            lists["l:"] = self.again
        for field, ordinals in lists.items():
            if ordinals or self.tried:
                state[field + name] = msgspec.json.encode(sorted(ordinals)).decode()
                self.tried = True  # a list that was written once is kept up to date
        return state

    def confirm(self) -> None:
        """Raise Fault if the sink rejected the last records and accepted nothing since."""
        if self.held:
            detail = f"it accepted nothing since it rejected the last records, with: {self.why}"
            raise Fault("sink-rejects-all", detail, where=self.sink.name)


def resume(sink: ConfiguredSink, known: ObjectProgress, etag: str, live: LiveClaim) -> SinkProgress:
    """Return the progress of *sink* at the start of a try, from what earlier tries *known* left.

    What they left of another content than *etag* counts for nothing.
    """
    if known.etag != etag:
        return SinkProgress(sink, live)
    name, vouched = sink.name, sink.name in known.vouching_sinks
    alone = set(known.rejected_alone.get(name, ()))
    believed = set(known.rejected.get(name, ()))
    left = known.in_doubt.get(name, ())
    # one of `alone` was rejected once; again is final if the sink accepted others since
    doubted = frozenset(believed | alone if vouched else believed)
    progress = SinkProgress(
        sink, live, alone=alone, believed=believed, vouched=vouched, doubted=doubted,
        tried=bool(alone or believed or left), accepts=name in known.accepted,
    )  # fmt: skip
    if sink.commits == "batch":
        progress.next = known.progress.get(name, 0)
        progress.again = alone.union(believed, left)
    return progress


def _record(of: Sequence[NumberedRecord], ordinal: int) -> bytes:
    return of[bisect_left(of, ordinal, key=itemgetter(0))][1]
