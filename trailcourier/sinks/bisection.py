"""Which records of a batch a sink rejects, and whether the sink itself is at fault.

A rejection says something about a record only where the sink accepts others.  A sink that answers
400 to everything would otherwise have every record refused, one request each.  So a rejection is
believed once the sink has accepted another record since.  Where it has not, single records from
other places of the batch are sent as probes, and if it rejects these too, it is the sink's fault.
"""

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Literal

from trailcourier.errors import Fault, Rejected

MANY = 16  # requests rejected in a row, before one that accepted others of the object is probed

Accepted = Literal["nothing", "before", "since"]
"""What a sink has accepted: nothing of the object yet; other records of it before the batch; or
anything at all since it first rejected these records."""

Piece = tuple[int, int, Rejected | None]
"""(start, end, None) for records that were accepted, (start, start + 1, why) for a rejected one."""


class Bisection:
    """One batch on its way into a sink, halved until the rejected single records are known.

    No more than *at_once* records are sent together, and none is sent more than
    1 + log2(len(batch)) times, rounded up.
    """

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], None],
        batch: Sequence[bytes],
        stopping: Event,
        *,
        at_once: int | None = None,
        accepted: Accepted = "nothing",
    ) -> None:
        self._send = send
        self._batch = batch
        self._stopping = stopping
        step = at_once or len(batch) or 1
        ranges = [(at, min(at + step, len(batch))) for at in range(0, len(batch), step)]
        self._waiting = ranges[::-1]  # not settled yet, the next one last
        self._probed: dict[int, Rejected | None] = {}  # sent ahead of their turn
        self._held: list[Piece] = []  # rejections that nothing accepted since then confirms
        self._accepts = accepted != "nothing"
        self._sure = len(batch) if accepted == "since" else 0  # below this, rejections are believed
        self._slice = 0  # end of what was sent together and rejected last
        self._in_a_row = 0  # rejected requests since the last accepted one
        self._why = ""  # the last rejection, in words

    def pieces(self) -> Iterator[Piece]:
        """Send the batch, and yield each piece once it is settled, from left to right.

        Raises Fault with reason ``sink-rejects-all`` where the sink accepts none, and with reason
        ``stopping`` between two requests once *stopping* is set.
        """
        while self._waiting:
            start, end = self._waiting.pop()
            if start in self._probed:
                yield from self._confirmed()
                yield start, end, self._probed.pop(start)
                continue
            rejected = self._sent(start, end)
            if rejected is None:
                yield from self._confirmed()
                yield start, end, None
                continue
            self._note(start, end, rejected)
            if start < self._sure:
                yield from self._confirmed()
        if self._held and not self._accepts:
            raise self._fault()
        yield from self._confirmed()

    @property
    def ahead(self) -> list[int]:
        """Records that were accepted as probes, and whose turn has not come."""
        return [at for at, rejected in sorted(self._probed.items()) if rejected is None]

    def _sent(self, start: int, end: int) -> Rejected | None:
        if self._stopping.is_set():
            raise Fault("stopping", "the worker was told to stop before all records were sent")
        try:
            self._send(self._batch[start:end])
        except Rejected as error:
            self._in_a_row, self._why = self._in_a_row + 1, error.detail
            return error
        self._accepts, self._in_a_row = True, 0
        self._sure = max(self._sure, self._slice)
        return None

    def _note(self, start: int, end: int, rejected: Rejected) -> None:
        """Halve what was rejected, or hold a single record's rejection; probe if it is time."""
        self._slice = max(self._slice, end)
        if end - start == 1:
            self._held.append((start, end, rejected))
        else:
            self._waiting += _halves(start, end)
        patience = MANY if self._accepts else 1
        if start >= self._sure and self._in_a_row >= patience and self._waiting:
            self._probe()

    def _probe(self) -> None:
        """Send single records of what is left until one is accepted; raises Fault if none is."""
        ranges = reversed(self._waiting)
        left = [at for each in ranges for at in range(*each) if at not in self._probed]
        if not left:
            return
        smallest = min(left, key=lambda at: len(self._batch[at]))  # it may pass where size decides
        for at in dict.fromkeys((left[0], left[-1], left[len(left) // 2], smallest)):
            self._probed[at] = self._sent(at, at + 1)
            if self._probed[at] is None:
                self._waiting = [part for each in self._waiting for part in self._around(*each)]
                return
        raise self._fault()

    def _around(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut a range at the probes in it; the rightmost part first, as ranges wait."""
        for at in sorted((at for at in self._probed if start <= at < end), reverse=True):
            if at + 1 < end:
                yield at + 1, end
            yield at, at + 1
            end = at
        if start < end:
            yield start, end

    def _confirmed(self) -> Iterator[Piece]:
        held, self._held = self._held, []
        yield from held

    def _fault(self) -> Fault:
        rows = self._in_a_row
        told = f"{rows} requests in a row were rejected, the last with: {self._why}"
        if rows == 1:
            told = f"the only request was rejected: {self._why}"
        return Fault("sink-rejects-all", told)


def _halves(start: int, end: int) -> list[tuple[int, int]]:
    middle = (start + end) // 2
    return [(middle, end), (start, middle)]
