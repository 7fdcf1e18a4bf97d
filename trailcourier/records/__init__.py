"""Splits the bytes of a log file into records, verbatim.

``open_log`` reads the whole file once and raises if anything is wrong with it, so that no record of
a bad file is sent.  It keeps the records of a small file.  A large file is inflated again for its
batches; neither its text nor its records are ever in memory as a whole.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

import msgspec

from trailcourier.errors import Fault
from trailcourier.records.envelope import split_records
from trailcourier.records.identity import event_id as event_id
from trailcourier.records.inflation import OnProgress, ignore_progress, text_windows
from trailcourier.records.json_text import Text
from trailcourier.records.times import newest_event_time as newest_event_time

MIB = 1024 * 1024
OVERHEAD = 64  # bytes of memory that Python needs per record, in addition to its bytes

ReadRecords = Callable[[], Iterable[list[bytes]]]


class LogLimits(msgspec.Struct, frozen=True):
    """The limits of an object, its text and one record in bytes, and of the number of *records*.

    The records of a text no longer than *small* are kept in memory.
    """

    compressed: int = 64 * MIB
    inflated: int = 512 * MIB
    record: int = 16 * MIB
    records: int = 10_000_000
    small: int = 8 * MIB


class Batch(msgspec.Struct, frozen=True):
    """Consecutive records of one log; *first* is the index of its first record in the log."""

    first: int
    records: list[bytes]


class Log:
    """A valid log file: *count* records in a text of *inflated* bytes."""

    def __init__(self, *, count: int, inflated: int, read: ReadRecords) -> None:
        self.count = count
        self.inflated = inflated
        self._read = read

    def batches(self, first: int = 0, *, records: int, size: int) -> Iterator[Batch]:
        """Yield the records from index *first* on, in batches of up to *records* and *size* bytes.

        A record longer than *size* gets a batch of its own.
        """
        held: list[bytes] = []
        start = weight = 0  # held[start:] is not yielded yet and has *weight* bytes
        for piece in _skip(first, self._read()):
            held = held[start:] + piece if start < len(held) else piece
            start = 0
            weight += sum(map(len, piece))
            while len(held) - start >= records or weight >= size:
                batch = Batch(first, _fitting(held[start : start + records], size))
                yield batch
                first += len(batch.records)
                start += len(batch.records)
                weight -= sum(map(len, batch.records))
        if start < len(held):
            yield Batch(first, held[start:])


def open_log(data: bytes, limits: LogLimits, on_progress: OnProgress = ignore_progress) -> Log:
    """Read and check the whole object *data*.

    *on_progress* is called regularly, here and by the batches of a large log, as each may take
    minutes.  Raises Fault: ``too-large`` over one of *limits*, ``corrupt`` for a damaged gzip
    stream, ``unparseable`` for anything but a CloudTrail envelope of objects in strict JSON and
    UTF-8.
    """
    if len(data) > limits.compressed:
        raise Fault("too-large", f"{len(data)} bytes as stored, the limit is {limits.compressed}")
    if not data:
        raise Fault("unparseable", "the object is empty")
    inflating = text_windows(data, limits.inflated, limits.small, on_progress)
    text = Text(inflating, limits.record)
    held: list[list[bytes]] | None = []
    count = 0
    try:
        for count, records in _counted(split_records(text), limits.records):
            if held is not None and text.offset + count * OVERHEAD <= limits.small:
                held.append(records)
            else:
                held = None
    except Fault:
        for _ in inflating:  # a damaged or too long stream is the better reason, and raises here
            pass
        raise
    if held is not None:
        return Log(count=count, inflated=text.offset, read=held.__iter__)
    return Log(
        count=count, inflated=text.offset, read=lambda: _read_again(data, limits, on_progress)
    )


def _counted(pieces: Iterable[list[bytes]], limit: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield each of *pieces* with the number of records up to its end; raises above *limit*."""
    count = 0
    for records in pieces:
        count += len(records)
        if count > limit:
            raise Fault("too-large", f"there are more than {limit} records")
        yield count, records


def _read_again(data: bytes, limits: LogLimits, on_progress: OnProgress) -> Iterator[list[bytes]]:
    windows = text_windows(data, limits.inflated, 0, on_progress)
    return split_records(Text(windows, limits.record))


def _skip(first: int, pieces: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    for records in pieces:
        if first < len(records):
            yield records[first:] if first else records
        first = max(0, first - len(records))


def _fitting(records: list[bytes], size: int) -> list[bytes]:
    """Return the first *records* that fit into *size* bytes, at least one."""
    lengths = list(accumulate(map(len, records)))
    return records[: max(1, bisect_right(lengths, size))]
