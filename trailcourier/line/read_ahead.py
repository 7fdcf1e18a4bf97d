"""Read the objects of a group: their requests to S3 are under way at the same time.

An object is read whole ahead of its turn if it is small and there is memory for it now.  Another is
only opened: its delivery waits for memory, and reads it.
"""

from collections.abc import Sequence

import msgspec

from trailcourier.line import Line
from trailcourier.line.process_limits import Budget
from trailcourier.line.report_draft import ReportDraft
from trailcourier.objects.opened import OpenedObject

SMALL = 1 << 20  # bytes as stored; most log files are a tenth of that
INFLATES = 16  # a text is this much larger than as stored; measured: 10 to 15


class ObjectRead(msgspec.Struct):
    """How far the reading of one object is.

    It is *opened*, unless *error* says why not.  *body* has all its bytes, for which *memory* bytes
    of the *budget* are taken; None while they are still to be read.
    """

    budget: Budget
    opened: OpenedObject | None = None
    body: bytes | None = None
    memory: int = 0
    error: Exception | None = None

    def close(self) -> None:
        """Close the object and give its memory back; may be called again."""
        if self.opened is not None:
            self.opened.close()
        self.body = None
        taken, self.memory = self.memory, 0
        if taken:
            self.budget.give(taken)


def read_ahead(line: Line, drafts: Sequence[ReportDraft]) -> list[ObjectRead]:
    """Open the object of each draft, and read the small ones; an error is kept with its object."""
    reads = [ObjectRead(line.process.budget) for _ in drafts]

    def read(at: int) -> None:
        try:
            _read(line, drafts[at], reads[at])
        except Exception as error:  # noqa: BLE001 - the delivery of this object raises it
            reads[at].error = error

    line.process.at_once(read, range(len(drafts)))
    return reads


def _read(line: Line, draft: ReportDraft, read: ObjectRead) -> None:
    draft.asked_at = line.clock.monotonic()
    read.opened = opened = line.reader.open(draft.claim.ref)
    if opened.size > SMALL or draft.earlier.delivered(opened.etag):
        return
    memory = memory_of(opened.size, line)
    if taken := line.process.budget.take_now(memory):
        read.memory = taken
        read.body = opened.body()


def memory_of(compressed: int, line: Line) -> int:
    """Return how many bytes of memory one object of *compressed* bytes is expected to take.

    These are its stored bytes, its text, the records cut from the text (both are there while the
    object is checked), and one batch in flight.
    """
    text = min(compressed * INFLATES, line.log_limits.small)
    return compressed + 2 * text + min(text, line.numbers.batch_bytes)
