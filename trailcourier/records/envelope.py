"""The records of CloudTrail's envelope, ``{"Records": [...]}``, each as the bytes AWS wrote.

Two ways lead to them.  The sure one walks to a record's closing bracket.  The quick one guesses
where a run of records ends and has msgspec split the run: if what lies between decodes as one
complete JSON array, those are the next elements, whatever made the guess.  If it does not, the
sure way goes on from the same place, and says what is wrong where something is.
"""

import json
import re
import secrets
from collections.abc import Iterator
from functools import partial
from itertools import filterfalse
from operator import itemgetter

import msgspec

from trailcourier.records.text import SURROGATE, Text, check_utf8

MEMBERS = 1000  # beside Records; AWS writes none

ENVELOPE = b'{"Records":['
ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
BETWEEN = re.compile(rb"[ \t\n\r,]*")

LONG = 512 * 1024  # bytes that may be full of the smallest records
PLACES, PLACE = 32, 256  # looked at in longer ones: how many, and the bytes of each
SMALLEST = 24  # bytes to a brace; AWS's records have 70

# CR and LF can only stand between tokens, JSON allows none in strings; NDJSON allows none at all.
ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def records_in(text: Text) -> Iterator[list[bytes]]:
    """Every record of *text* in order, some at a time, each checked to be a JSON object.

    The last ones come before the rest of the envelope is checked.  Raises Fault ``unparseable`` and
    ``too-large``, and what the windows of *text* raise.
    """
    if records := _as_usual(text):
        yield records
    else:
        yield from _members(text)
    if text.peek():
        raise text.unparseable("more follows the end of the envelope")


def _as_usual(text: Text) -> list[bytes]:
    """Take the whole envelope, if it is at hand and written as AWS writes it, as nearly all are."""
    text.peek()
    usual = text.buffer.startswith(ENVELOPE) and text.buffer.endswith(b"]}")
    if not usual or (len(text.buffer) > LONG and _crowded(text.buffer)):
        return []
    records = _split(text.buffer, text.limit, len(ENVELOPE) - 1, -1)
    if records:
        text.at = len(text.buffer)
    return records


def _crowded(buffer: bytes) -> bool:
    """Whether so many records seem to be in *buffer* that a list of them would be far larger.

    A record takes a hundred bytes beside its own, however small.  Braces are counted at places that
    whoever wrote the file cannot foresee; which way is taken changes nothing in what is found.
    """
    places = (secrets.randbelow(len(buffer) - PLACE) for _ in range(PLACES))
    braces = sum(buffer.count(b"{", place, place + PLACE) for place in places)
    return braces * SMALLEST > PLACES * PLACE


def _members(text: Text) -> Iterator[list[bytes]]:
    found = False
    text.take(b"{", "at the start of a log file")
    others = 0
    while True:
        name = _name(text)
        text.take(b":", "after a name")
        if name != "Records":
            others += 1
            if others > MEMBERS:
                raise text.unparseable(f"there are more than {MEMBERS} members beside Records")
            text.value("a member beside Records")
        elif found:
            raise text.unparseable("Records is there twice")
        else:
            found = True
            yield from _elements(text)
        if text.peek() != b",":
            break
        text.take(b",", "between two members")
    text.take(b"}", "after the last member")
    if not found:
        raise text.unparseable("there is no Records")


def _name(text: Text) -> str:
    if text.peek() == b"}":
        raise text.unparseable("there is no Records")
    if text.peek() != b'"':
        raise text.unparseable("expected a name in quotes")
    return str(json.loads(text.value("a name")))


def _elements(text: Text) -> Iterator[list[bytes]]:
    text.take(b"[", "because Records is an array")
    if text.peek() == b"]":
        text.take(b"]", "")
        return
    yield from _runs(text)
    text.take(b"]", "after the last record")


def _runs(text: Text) -> Iterator[list[bytes]]:
    split = partial(_split, limit=text.limit)
    count = 0
    boundary = b""  # what stands between two records, if all begin as the first does
    while True:
        records = text.run(boundary, split) if boundary else []
        if not records:
            records = [_record(text, count)]
        if not count:
            boundary = _boundary(records[0])
        count += len(records)
        yield records
        if text.peek() != b",":
            return
        text.take(b",", "between two records")
        text.peek()


def _record(text: Text, ordinal: int) -> bytes:
    if text.peek() != b"{":
        raise text.unparseable(f"record {ordinal} is not an object")
    record = text.value(f"record {ordinal}")
    return record.translate(ONE_LINE) if b"\n" in record or b"\r" in record else record


def _boundary(record: bytes) -> bytes:
    """What stands between records that begin with the same name as *record*, written alike."""
    opening, colon, _ = record.partition(b":")
    return b"}," + (opening + colon if colon and opening.startswith(b'{"') else b"{")


def _split(array: bytes, limit: int, start: int = 0, end: int | None = None) -> list[bytes]:
    """The elements of *array*, that is of its part from *start* to *end*.

    Empty if that is no array of sound objects no longer than *limit*: the sure way will say what
    is wrong where.
    """
    try:
        records = _cut(memoryview(array)[start:end])
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


def _cut(array: memoryview) -> list[bytes]:
    """The elements of *array*; raises DecodeError and RecursionError."""
    try:
        return list(map(bytes, ARRAY.decode(array)))
    except msgspec.DecodeError:
        if not SURROGATE.search(array):
            raise
    # what msgspec does not read is replaced by as many bytes; the elements are cut from *array*
    text, elements, at = bytes(array), [], 0
    for element in map(bytes, ARRAY.decode(SURROGATE.sub(rb"\\u0041", array))):
        start = at + 1  # behind the bracket or the comma
        if text[start] != element[0]:
            start = BETWEEN.match(text, at + 1).end()  # type: ignore[union-attr]
        at = start + len(element)
        elements.append(text[start:at])
    return elements
