"""Splits CloudTrail's envelope, ``{"Records": [...]}``, into records as the bytes AWS wrote.

There is a slow and a fast path.  The slow path scans to the closing bracket of each record.  The
fast path guesses where a run of records ends, and msgspec splits the run.  If the run decodes as
one complete JSON array, its elements are the next records, whatever the guess was based on.  If
not, the slow path continues from the same position, and reports what is wrong.
"""

import json
import re
import secrets
from collections.abc import Iterator
from functools import partial
from itertools import filterfalse
from operator import itemgetter

import msgspec

from trailcourier.records.json_text import SURROGATE, Text, check_utf8

OTHER_MEMBERS = 1000  # members besides Records, at most; AWS writes none

ENVELOPE = b'{"Records":['
ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
BETWEEN = re.compile(rb"[ \t\n\r,]*")

UNCHECKED = 512 * 1024  # bytes; a shorter text may consist of the smallest records
SAMPLES, SAMPLE = 32, 256  # sampled in a longer text: how many places, and bytes at each
BYTES_PER_BRACE = 24  # fewer mean too many records; AWS's records have 70

# JSON allows CR and LF only between tokens, not in strings; NDJSON does not allow them at all.
ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def split_records(text: Text) -> Iterator[list[bytes]]:
    """Yield every record of *text* in order, in lists; each is checked to be a JSON object.

    The last list comes before the rest of the envelope is checked.  Raises Fault ``unparseable``
    and ``too-large``, and what the windows of *text* raise.
    """
    if records := _split_whole(text):
        yield records
    else:
        yield from _read_members(text)
    if text.peek():
        raise text.unparseable("text follows the end of the envelope")


def _split_whole(text: Text) -> list[bytes]:
    """Split the whole envelope, if it is in the buffer and written as AWS writes nearly all."""
    text.peek()
    usual = text.buffer.startswith(ENVELOPE) and text.buffer.endswith(b"]}")
    if not usual or (len(text.buffer) > UNCHECKED and _crowded(text.buffer)):
        return []
    records = _split(text.buffer, text.limit, len(ENVELOPE) - 1, -1)
    if records:
        text.position = len(text.buffer)
    return records


def _crowded(buffer: bytes) -> bool:
    """Return whether *buffer* seems to have so many records that a list of them is far larger.

    Each record takes about a hundred bytes of memory in addition to its own.  Braces are counted at
    random places, which the author of the file cannot foresee.  Both paths find the same records.
    """
    places = (secrets.randbelow(len(buffer) - SAMPLE) for _ in range(SAMPLES))
    braces = sum(buffer.count(b"{", place, place + SAMPLE) for place in places)
    return braces * BYTES_PER_BRACE > SAMPLES * SAMPLE


def _read_members(text: Text) -> Iterator[list[bytes]]:
    found = False
    text.expect(b"{", "at the start of a log file")
    others = 0
    while True:
        name = _read_name(text)
        text.expect(b":", "after a name")
        if name != "Records":
            others += 1
            if others > OTHER_MEMBERS:
                raise text.unparseable(
                    f"there are more than {OTHER_MEMBERS} members besides Records"
                )
            text.take_value("a member besides Records")
        elif found:
            raise text.unparseable("Records occurs twice")
        else:
            found = True
            yield from _read_array(text)
        if text.peek() != b",":
            break
        text.expect(b",", "between two members")
    text.expect(b"}", "after the last member")
    if not found:
        raise text.unparseable("there is no Records")


def _read_name(text: Text) -> str:
    if text.peek() == b"}":
        raise text.unparseable("there is no Records")
    if text.peek() != b'"':
        raise text.unparseable("expected a name in quotes")
    return str(json.loads(text.take_value("a name")))


def _read_array(text: Text) -> Iterator[list[bytes]]:
    text.expect(b"[", "because Records is an array")
    if text.peek() == b"]":
        text.expect(b"]", "")
        return
    yield from _read_runs(text)
    text.expect(b"]", "after the last record")


def _read_runs(text: Text) -> Iterator[list[bytes]]:
    split = partial(_split, limit=text.limit)
    count = 0
    boundary = b""  # the bytes between two records, if all begin like the first
    while True:
        records = text.take_run(boundary, split) if boundary else []
        if not records:
            records = [_read_record(text, count)]
        if not count:
            boundary = _boundary(records[0])
        count += len(records)
        yield records
        if text.peek() != b",":
            return
        text.expect(b",", "between two records")
        text.peek()


def _read_record(text: Text, index: int) -> bytes:
    if text.peek() != b"{":
        raise text.unparseable(f"record {index} is not an object")
    record = text.take_value(f"record {index}")
    return record.translate(ONE_LINE) if b"\n" in record or b"\r" in record else record


def _boundary(record: bytes) -> bytes:
    """Return the bytes before a next record that begins with the same name as *record*."""
    opening, colon, _ = record.partition(b":")
    return b"}," + (opening + colon if colon and opening.startswith(b'{"') else b"{")


def _split(array: bytes, limit: int, start: int = 0, end: int | None = None) -> list[bytes]:
    """Return the elements of the JSON array in *array* from *start* to *end*.

    Empty unless it is an array of valid objects no longer than *limit*: the slow path then reports
    what is wrong.
    """
    try:
        records = _decode_elements(memoryview(array)[start:end])
        if not array.isascii():
            for record in filterfalse(bytes.isascii, records):
                check_utf8(record)
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError):
        return []
    if set(map(itemgetter(0), records)) != {ord("{")}:
        return []
    if len(array) > limit and max(map(len, records)) > limit:
        return []
    if b"\n" in array or b"\r" in array:
        return [record.translate(ONE_LINE) for record in records]
    return records


def _decode_elements(array: memoryview) -> list[bytes]:
    """Return the elements of *array*; raises DecodeError and RecursionError."""
    try:
        return list(map(bytes, ARRAY.decode(array)))
    except msgspec.DecodeError:
        if not SURROGATE.search(array):
            raise
    # replace the escapes msgspec rejects by as many other bytes, then cut the elements from *array*
    text, elements, end = bytes(array), [], 0
    for element in map(bytes, ARRAY.decode(SURROGATE.sub(rb"\\u0041", array))):
        start = end + 1  # after the bracket or the comma
        if text[start] != element[0]:
            start = BETWEEN.match(text, end + 1).end()  # type: ignore[union-attr]
        end = start + len(element)
        elements.append(text[start:end])
    return elements
