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
from trailcourier.sinks.batches import NumberedRecord, PieceResult, RefusedRecord


class SinkProgress(msgspec.Struct):
    """The progress of one sink.  Records are named by their ordinals in the log file.

    A rejection is an answer of the sink; a refusal is final, and follows from rejections as
    ``docs/decisions/012`` says.

    | field | meaning | kept as |
    |---|---|---|
    | *next* | the first record that was not sent yet | ``p`` |
    | *resend* | records before *next* to send again: they were left open | ``l`` |
    | *rejected_alone* | records rejected when sent alone, and nothing was accepted since | ``a`` |
    | *refused_before* | records refused in an earlier try | ``j`` |
    | *refused* | records refused in this try; *ids* has their eventIDs | ``j`` |
    | *accepts* | whether the sink accepted a record of this content, in any try | ``o`` |
    | *lists_stored* | whether one of these lists was stored, and must be kept up to date | |
    | *accepts_others* | whether it accepted other records since it rejected *rejected_alone* | |
    | *refused_if_rejected* | records that are refused if the sink rejects them alone once more | |
    | *in_doubt* | rejected records that the next batch sends again; *last_rejection* says why | |
    | *accepted_at* | when the last request that the sink accepted began; None before | |
    | *accepted_in_batch* | whether the sink accepted a request of the last batch | |
    | *truncated* | how many records were cut to size in this try | |

    "Kept as" names the field of ``o:<oid>`` in ``ledger/schema.md``, which ``ObjectProgress``
    brings back.  Each request first records progress on the *live* claim: a batch that is sent
    record by record may outlast a claim, and no request begins once the worker stops.
    """

    sink: ConfiguredSink
    live: LiveClaim
    next: int = 0
    refused: dict[int, RefusedRecord] = {}
    resend: set[int] = set()
    rejected_alone: set[int] = set()
    refused_before: set[int] = set()
    refused_if_rejected: frozenset[int] = frozenset()
    accepts_others: bool = False
    accepts: bool = False
    lists_stored: bool = False
    delivery: Delivery | None = None
    truncated: int = 0
    ids: dict[int, str] = {}
    accepted_at: float | None = None
    accepted_in_batch: bool = False
    in_doubt: dict[int, bytes] = {}
    last_rejection: str = ""

    def send(self, batch: Sequence[bytes]) -> None:
        """Send *batch* to the sink; if it accepts, note when the request began."""
        if self.delivery is None:
            raise RuntimeError("a delivery is sent to before it was started")
        began = self.live.keep_going()
        self.delivery.send(batch)
        self.accepted_in_batch = True
        if self.sink.commits == "batch":
            self.accepted_at, self.accepts = began, True

    def finish(self) -> None:
        """Finish the delivery: what was sent becomes final."""
        if self.delivery is not None:
            began = self.live.move()  # all is sent: it finishes even if the worker stops
            self.delivery.finish()
            if self.sink.commits == "object":
                self.accepted_at, self.accepts = began, True

    def drop(self) -> None:
        """Abandon the delivery without finishing it."""
        if self.delivery is not None:
            self.delivery.drop()

    def parts(
        self, wanted: Sequence[NumberedRecord]
    ) -> Iterator[tuple[Sequence[NumberedRecord], Accepted, int]]:
        """Split *wanted* into doubted records and others, each with *accepted* and *probe_after*.

        ``deliver`` explains these two.  A sink that accepts others may reject four requests in a
        row for each record it has refused: so an object of bad records alone needs few tries.
        """
        lately, self.accepted_in_batch = self.accepted_in_batch, False
        doubted = [each for each in wanted if each[0] in self.refused_if_rejected]
        if doubted:
            last = doubted[-1][0]
            # `next` passes the records before these, which are not sent yet
            self.resend |= {*self.in_doubt, *(at for at, _ in wanted if at <= last)}
            self.next = max(self.next, last + 1)
            yield doubted, "since", PROBE_AFTER
        others = wanted
        if doubted:
            others = [each for each in wanted if each[0] not in self.refused_if_rejected]
        if others:
            accepted_lately = (lately or self.accepted_in_batch) and not self.in_doubt
            yield (
                [*self.in_doubt.items(), *others] if self.in_doubt else others,
                "before" if accepted_lately or self.accepts_others else "nothing",
                max(PROBE_AFTER, 4 * len(self.refused)) if self.accepts_others else PROBE_AFTER,
            )

    def note(self, piece: PieceResult, of: Sequence[NumberedRecord]) -> None:
        """Record the outcome of one piece of the records *of* that were sent."""
        self.next = max(self.next, piece.next)
        for each in piece.refused:
            self.refused[each.ordinal] = each
            self.ids[each.ordinal] = records.event_id(_record(of, each.ordinal))
        self.truncated += piece.truncated
        if self.resend or self.rejected_alone or self.refused_before or self.in_doubt:
            settled = {at for at, _ in of if at < piece.next}.difference(
                piece.skipped, piece.in_doubt
            )
            self.resend -= settled
            self.rejected_alone -= settled
            self.refused_before -= settled
            self.in_doubt = {at: each for at, each in self.in_doubt.items() if at not in settled}
        self.resend |= set(piece.skipped)
        self.rejected_alone |= set(piece.rejected_alone)
        if piece.in_doubt:
            self.in_doubt = {at: _record(of, at) for at in piece.in_doubt}
            self.last_rejection = piece.last_rejection

    def wants(self, ordinal: int) -> bool:
        """Whether the record must still be sent to the sink."""
        return ordinal >= self.next or ordinal in self.resend

    def state(self) -> dict[str, str | int]:
        """Return what a later try needs.

        *next* and *again* are part of it only if the sink commits each batch: another sink gets all
        records again.
        """
        name = self.sink.name
        state: dict[str, str | int] = {}
        lists = {"a:": self.rejected_alone, "j:": self.refused_before.union(self.refused)}
        if self.accepts:
            state[f"o:{name}"] = 1
        if self.sink.commits == "batch":
            state[f"p:{name}"] = self.next
            lists["l:"] = self.resend
        for field, ordinals in lists.items():
            if ordinals or self.lists_stored:
                state[field + name] = msgspec.json.encode(sorted(ordinals)).decode()
                self.lists_stored = True  # a list that was written once is kept up to date
        return state

    def confirm(self) -> None:
        """Raise Fault if the sink rejected the last records and accepted nothing since."""
        if self.in_doubt:
            what = "it accepted nothing since it rejected the last records, with: "
            detail = f"{what}{self.last_rejection}"
            raise Fault("sink-rejects-all", detail, where=self.sink.name)


def resume(sink: ConfiguredSink, known: ObjectProgress, etag: str, live: LiveClaim) -> SinkProgress:
    """Return the progress of *sink* at the start of a try, from what earlier tries *known* left.

    What they left of another content than *etag* counts for nothing.
    """
    if known.etag != etag:
        return SinkProgress(sink, live)
    name, accepts_others = sink.name, sink.name in known.sinks_accepting_others
    alone = set(known.rejected_alone.get(name, ()))
    before, left = set(known.refused_before.get(name, ())), known.resend.get(name, ())
    progress = SinkProgress(
        sink,
        live,
        rejected_alone=alone,
        refused_before=before,
        # one of `alone` was rejected once; again is final if the sink accepted others since
        refused_if_rejected=frozenset(before | alone if accepts_others else before),
        accepts_others=accepts_others,
        lists_stored=bool(alone or before or left),
        accepts=name in known.accepting_sinks,
    )
    if sink.commits == "batch":
        progress.next = known.next.get(name, 0)
        progress.resend = alone.union(before, left)
    return progress


def _record(of: Sequence[NumberedRecord], ordinal: int) -> bytes:
    return of[bisect_left(of, ordinal, key=itemgetter(0))][1]
