"""Find the records that a sink rejects, and distinguish them from a fault of the sink itself.

A rejection says something about a record only if the sink accepts others.  A sink that answers
400 to everything would otherwise have every record refused, at one request each.  So a record is
refused only if the sink rejected it when it was sent alone, accepted another record since, and
rejects it alone again: the sink may have recovered in between.  Until then the record is in doubt.
While the sink accepts nothing, single records from other places of the batch are sent as probes.
If the sink rejects these too, the fault is the sink's.  See ``docs/decisions/012``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from trailcourier.errors import Fault, Rejected

PROBE_AFTER = 16  # rejected requests in a row, if the sink accepted other records of the object

Accepted = Literal["nothing", "before", "since"]
"""What the sink accepted before this batch: ``nothing`` of the object; ``before``: other records of
the object; ``since``: any record after it rejected each record of this batch when sent alone."""

Piece = tuple[int, int, Rejected | None]
"""(start, end, None) for accepted records, (start, start + 1, rejection) for a rejected one."""


class Bisection:
    """Sends one batch to a sink, and halves it until each rejected record is known.

    At most *max_records* records are sent in one request, and no record is sent more than
    2 + log2(len(batch)) times, rounded up.  *rejection* is the sink's answer to the first request,
    if the caller has sent that already.  *accepted* is what the sink accepted before the batch.
    If the sink accepts other records of the object, probes begin after *probe_after* rejected
    requests in a row; else after the first.
    """

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], None],
        batch: Sequence[bytes],
        *,
        rejection: Rejected | None = None,
        max_records: int | None = None,
        accepted: Accepted = "nothing",
        probe_after: int = PROBE_AFTER,
    ) -> None:
        self._send = send
        self._batch = batch
        self._first_rejection = rejection
        self._to_send = requests_of(len(batch), max_records)[::-1]  # a stack: the next is the last
        self._probes: dict[int, Rejected | None] = {}  # by record; sent out of order
        self._results: dict[int, tuple[int, Rejected | None]] = {}  # by start; not yielded yet
        self._in_doubt: list[int] = []  # rejected alone, and the sink accepted nothing since
        self._sink_accepts = accepted != "nothing"
        self._rejections_are_final = accepted == "since"
        self._probe_after = probe_after
        self._rejections_in_row = 0
        self.last_rejection = ""  # the detail, for a person

    def pieces(self) -> Iterator[Piece]:
        """Send the batch, and yield each piece once it is settled, from left to right.

        Ends before a record that is in doubt.  Raises Fault with the reason ``sink-rejects-all`` if
        the sink accepts no record.
        """
        while self._to_send:
            self._settle_range(*self._to_send.pop())
            if self._in_doubt and not self._rejections_in_row:
                self._resend_in_doubt()
            yield from self._settled_pieces()
        if self._in_doubt and not self._sink_accepts:
            raise self._rejects_all()

    @property
    def accepted_ahead(self) -> list[int]:
        """Accepted records that are not yielded, because a record before them is not settled."""
        ranges = [(start, end) for start, (end, why) in self._results.items() if why is None]
        probes = [at for at, rejection in self._probes.items() if rejection is None]
        return sorted({*probes, *(at for each in ranges for at in range(*each))})

    @property
    def rejected_alone(self) -> list[int]:
        """Records that were rejected when sent alone, and are not settled."""
        probes = [at for at, rejection in self._probes.items() if rejection is not None]
        return sorted({*self._in_doubt, *probes})

    def _settle_range(self, start: int, end: int) -> None:
        """Send one range, unless it is a record that was accepted as a probe."""
        was_probe = start in self._probes
        if was_probe and self._probes[start] is None:
            self._results[start] = end, self._probes.pop(start)
            return
        rejection = self._send_range(start, end)
        self._probes.pop(start, None)
        single = end - start == 1
        if rejection is None or (single and (was_probe or self._rejections_are_final)):
            self._results[start] = end, rejection
        else:
            self._handle_rejection(start, end, rejection)

    def _send_range(self, start: int, end: int) -> Rejected | None:
        try:
            if first := self._first_rejection:
                self._first_rejection = None
                raise first
            self._send(self._batch[start:end])
        except Rejected as error:
            self._rejections_in_row, self.last_rejection = self._rejections_in_row + 1, error.detail
            return error
        self._sink_accepts, self._rejections_in_row = True, 0
        return None

    def _handle_rejection(self, start: int, end: int, rejection: Rejected) -> None:
        """Halve a rejected range, or put a single record in doubt; then probe if it is time."""
        if end - start == 1:
            self._results[start] = end, rejection
            self._in_doubt.append(start)
        else:
            self._to_send += _halves(start, end)
        probe_after = self._probe_after if self._sink_accepts else 1
        due = self._rejections_in_row >= probe_after and not self._rejections_are_final
        if due and self._to_send:
            self._send_probes()

    def _resend_in_doubt(self) -> None:
        """Send the records in doubt again, now that the sink accepted another one."""
        while self._in_doubt:
            at = self._in_doubt[0]
            self._results[at] = at + 1, self._send_range(at, at + 1)
            del self._in_doubt[0]
        self._rejections_in_row = 0

    def _send_probes(self) -> None:
        """Send up to four single records until the sink accepts one; raises Fault if it does not.

        They are the first, the last, the middle and the smallest of the records not sent alone yet.
        """
        ranges = reversed(self._to_send)
        left = [at for each in ranges for at in range(*each) if at not in self._probes]
        if not left:
            return
        smallest = min(left, key=lambda at: len(self._batch[at]))  # the sink may limit the size
        for at in dict.fromkeys((left[0], left[-1], left[len(left) // 2], smallest)):
            self._probes[at] = self._send_range(at, at + 1)
            if self._probes[at] is None:
                self._to_send = [part for each in self._to_send for part in self._split(*each)]
                return
        raise self._rejects_all()

    def _split(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Split a range at its probes; yields the rightmost part first, as on the stack."""
        for at in sorted((at for at in self._probes if start <= at < end), reverse=True):
            if at + 1 < end:
                yield at + 1, end
            yield at, at + 1
            end = at
        if start < end:
            yield start, end

    def _settled_pieces(self) -> Iterator[Piece]:
        """Yield the results before the first record in doubt."""
        while self._results:
            start = next(iter(self._results))
            if start in self._in_doubt:
                return
            end, rejection = self._results.pop(start)
            yield start, end, rejection

    def _rejects_all(self) -> Fault:
        count = self._rejections_in_row
        detail = f"it rejected {count} requests in a row, the last with: {self.last_rejection}"
        if count == 1:
            detail = f"it rejected the only request: {self.last_rejection}"
        return Fault("sink-rejects-all", detail)


def requests_of(records: int, most: int | None) -> list[tuple[int, int]]:
    """Return the ranges of a batch of *records*, each of at most *most*: one for each request."""
    step = most or records or 1
    return [(at, min(at + step, records)) for at in range(0, records, step)]


def _halves(start: int, end: int) -> list[tuple[int, int]]:
    middle = (start + end) // 2
    return [(middle, end), (start, middle)]
