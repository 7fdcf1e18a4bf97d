"""An object's bytes to its records, verbatim.

``open_log`` reads the whole object once and raises whatever is wrong with it, so that nothing of a
bad one is sent.  The records of a small one are kept; a large one is inflated again for its
batches, and neither its text nor its records are ever held whole.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

import msgspec

from trailcourier.errors import Fault
from trailcourier.records.envelope import records_in
from trailcourier.records.identity import event_id as event_id
from trailcourier.records.inflation import windows
from trailcourier.records.text import Text
from trailcourier.records.times import newest as newest

MIB = 1024 * 1024
OVERHEAD = 64  # bytes Python needs to hold a record, beside the record's own

Read = Callable[[], Iterable[list[bytes]]]


class Limits(msgspec.Struct, frozen=True):
    """How large an object, its text and one record may be, in bytes.

    The records of a text no longer than *small* are held in memory.
    """

    compressed: int = 64 * MIB
    inflated: int = 512 * MIB
    record: int = 16 * MIB
    small: int = 8 * MIB


class Batch(msgspec.Struct, frozen=True):
    """Consecutive records of one log; *first* is the ordinal of the first among all of them."""

    first: int
    records: list[bytes]


class Log:
    """A log file found sound: *count* records in a text of *inflated* bytes."""

    def __init__(self, *, count: int, inflated: int, read: Read) -> None:
        self.count = count
        self.inflated = inflated
        self._read = read

    def batches(self, first: int = 0, *, records: int, size: int) -> Iterator[Batch]:
        """The records from ordinal *first* on, at most *records* of them or *size* bytes at a time.

        A record longer than *size* comes alone.
        """
        held: list[bytes] = []
        weight = 0
        for some in _from(first, self._read()):
            held = held + some if held else some
            weight += sum(map(len, some))
            while len(held) >= records or weight >= size:
                batch = Batch(first, held[: _fitting(held, records, size)])
                yield batch
                first += len(batch.records)
                held = held[len(batch.records) :]
                weight -= sum(map(len, batch.records))
        if held:
            yield Batch(first, held)


def open_log(data: bytes, limits: Limits) -> Log:
    """Read the object *data* through and find it sound, or raise Fault.

    ``too-large``: over one of *limits*; ``corrupt``: a damaged gzip stream; ``unparseable``: not a
    CloudTrail envelope of objects in strict JSON and UTF-8.
    """
    if len(data) > limits.compressed:
        raise Fault("too-large", f"{len(data)} bytes as stored, more than {limits.compressed}")
    if not data:
        raise Fault("unparseable", "the object is empty")
    inflating = windows(data, limits.inflated, limits.small)
    text = Text(inflating, limits.record)
    held: list[list[bytes]] | None = []
    count = 0
    try:
        for records in records_in(text):
            count += len(records)
            if held is not None and text.offset + count * OVERHEAD <= limits.small:
                held.append(records)
            else:
                held = None
    except Fault:
        for _ in inflating:  # a stream that is itself damaged or too long is the truer fault
            pass
        raise
    if held is not None:
        return Log(count=count, inflated=text.offset, read=held.__iter__)
    return Log(count=count, inflated=text.offset, read=lambda: _again(data, limits))


def _again(data: bytes, limits: Limits) -> Iterator[list[bytes]]:
    return records_in(Text(windows(data, limits.inflated), limits.record))


def _from(first: int, pieces: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    for records in pieces:
        if first < len(records):
            yield records[first:] if first else records
        first = max(0, first - len(records))


def _fitting(held: list[bytes], records: int, size: int) -> int:
    """How many of *held* make one batch."""
    lengths = list(accumulate(map(len, held[:records])))
    return max(1, bisect_right(lengths, size))
