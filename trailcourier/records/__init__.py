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
from trailcourier.records.inflation import Going, on, windows
from trailcourier.records.text import Text
from trailcourier.records.times import newest as newest

MIB = 1024 * 1024
OVERHEAD = 64  # bytes Python needs to hold a record, beside the record's own

Read = Callable[[], Iterable[list[bytes]]]


class Limits(msgspec.Struct, frozen=True):
    """How large an object, its text and one record may be, in bytes, and how many *records* it has.

    The records of a text no longer than *small* are held in memory.
    """

    compressed: int = 64 * MIB
    inflated: int = 512 * MIB
    record: int = 16 * MIB
    records: int = 10_000_000
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
        at = weight = 0
        for some in _from(first, self._read()):
            held = held[at:] + some if at < len(held) else some
            at = 0
            weight += sum(map(len, some))
            while len(held) - at >= records or weight >= size:
                batch = Batch(first, _fitting(held[at : at + records], size))
                yield batch
                first += len(batch.records)
                at += len(batch.records)
                weight -= sum(map(len, batch.records))
        if at < len(held):
            yield Batch(first, held[at:])


def open_log(data: bytes, limits: Limits, going: Going = on) -> Log:
    """Read the object *data* through and find it sound, or raise Fault.

    *going* is called every so often, here and by the batches of a large log: that may take minutes.

    ``too-large``: over one of *limits*; ``corrupt``: a damaged gzip stream; ``unparseable``: not a
    CloudTrail envelope of objects in strict JSON and UTF-8.
    """
    if len(data) > limits.compressed:
        raise Fault("too-large", f"{len(data)} bytes as stored, more than {limits.compressed}")
    if not data:
        raise Fault("unparseable", "the object is empty")
    inflating = windows(data, limits.inflated, limits.small, going)
    text = Text(inflating, limits.record)
    held: list[list[bytes]] | None = []
    count = 0
    try:
        for count, records in _counted(records_in(text), limits.records):
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
    return Log(count=count, inflated=text.offset, read=lambda: _again(data, limits, going))


def _counted(pieces: Iterable[list[bytes]], most: int) -> Iterator[tuple[int, list[bytes]]]:
    """Each of *pieces* with how many records there are up to its end, *most* at most."""
    count = 0
    for records in pieces:
        count += len(records)
        if count > most:
            raise Fault("too-large", f"there are more than {most} records")
        yield count, records


def _again(data: bytes, limits: Limits, going: Going) -> Iterator[list[bytes]]:
    return records_in(Text(windows(data, limits.inflated, 0, going), limits.record))


def _from(first: int, pieces: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    for records in pieces:
        if first < len(records):
            yield records[first:] if first else records
        first = max(0, first - len(records))


def _fitting(some: list[bytes], size: int) -> list[bytes]:
    """As many of *some* as fit into *size* bytes, but one at least."""
    lengths = list(accumulate(map(len, some)))
    return some[: max(1, bisect_right(lengths, size))]
