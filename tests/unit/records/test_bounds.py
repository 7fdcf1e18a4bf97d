"""The bounds of any log file: records, time, and the time between two progress reports."""

import contextlib
import gzip
import time
import zlib

import pytest

from trailcourier.errors import Fault
from trailcourier.records import LogLimits, inflation, open_log

HEAD = b'{"Records":['
MIB = 1024 * 1024
STREAMED = LogLimits(small=0)
MOST = 300  # times what as long a text of ordinary records takes; some took two thousand


def packed(*parts: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([*map(packer.compress, parts), packer.flush()])


def seconds(data: bytes, limits: LogLimits = STREAMED) -> float:
    """Return the processor time for checking *data*."""
    began = time.thread_time()
    with contextlib.suppress(Fault):
        open_log(data, limits)
    return time.thread_time() - began


@pytest.fixture(scope="module")
def ordinary() -> float:
    """The processor time per byte of ordinary records."""
    record = b'{"eventVersion":"1.11","userIdentity":{"type":"Root"},"x":"' + b"x" * 1200 + b'"},'
    text = HEAD + record * 10_000 + b"{}]}"
    return min(seconds(packed(text)) for _ in range(3)) / len(text)


def nested(item: bytes, times: int) -> bytes:
    """Return a record with *times* of *item*, which looks like a boundary between records."""
    return b'{"a":[' + b",".join([item] * times) + b"]}"


def test_a_log_with_the_maximum_of_records_is_read(read):
    assert len(read(packed(HEAD, b"{},\n" * 99, b"{}]}"), records=100)) == 100


def test_a_log_with_more_records_is_too_large(read):
    found = read(packed(HEAD, b"{},\n" * 100, b"{}]}"), records=100)

    assert found == "too-large: there are more than 100 records"


def test_a_damaged_log_with_too_many_records_is_corrupt(read):
    assert read(packed(HEAD, b"{}," * 100)[:-1], records=100).startswith("corrupt: ")


def test_a_log_with_too_many_records_is_not_split_further():
    data = packed(HEAD, b"{}," * MIB, b"{}]}")

    assert seconds(data, LogLimits(records=1000, small=0)) < seconds(data) / 3


def test_other_members_than_records_are_limited(read):
    few, many = (b'"a":1,' * count for count in (1000, 1001))

    assert read(packed(b"{", few, HEAD[1:], b"{}]}")) == [b"{}"]
    assert "more than 1000 members besides Records" in read(packed(b"{", many, HEAD[1:], b"{}]}"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"{}," * 400_000, id="empty records"),
        pytest.param(b"{} ," * 300_000, id="empty records, spaced"),
        pytest.param((b'{"a":"\\ud800"},' + b"{}," * 20_000) * 10, id="half surrogate pairs"),
        pytest.param(b'{"\xc3\xa9":1},' * 100_000, id="unicode"),
        pytest.param((nested(b"{}", 5) + b" ," + b"{} ," * 2000) * 50, id="boundaries inside"),
        pytest.param(b'{"a":' + b"[" * MIB + b"]" * MIB + b"},", id="brackets"),
        pytest.param((nested(b"[]", 20_000) + b" ,") * 10, id="pairs of brackets"),
        pytest.param(b'{"a":[' + b'"",' * MIB + b'""]} ,', id="strings"),
        pytest.param(b'{} ,{"a":"' + b"\\\\" * MIB + b'"} ,', id="escapes"),
        pytest.param(b'{} ,{"a":"' + b"x" * 8 * MIB + b'"} ,', id="a string"),
        pytest.param(b'{} ,{"a":"' + b"\\" * MIB, id="a string without end"),
        pytest.param(b" " * 8 * MIB, id="space"),
        pytest.param(b'{"a":1' + b" " * 8 * MIB + b"} ,", id="space in a record"),
    ],
)
def test_no_text_takes_disproportionate_time(text, ordinary):
    took = seconds(packed(HEAD, text, b"{}]}"))

    print(f"{took / ordinary / len(text):.0f} times")
    assert took < MOST * ordinary * len(text)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(HEAD + b"]}") + gzip.compress(b"") * 50_000, id="members"),
        pytest.param(
            gzip.compress(HEAD) + gzip.compress(b" ") * 50_000 + gzip.compress(b"]}"),
            id="members of a byte",
        ),
        pytest.param(
            b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 60 * MIB + b"\0"
            + gzip.compress(HEAD + b"]}")[10:],
            id="a name of 60 MiB",
        ),
        pytest.param(
            gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * MIB + gzip.compress(HEAD + b"]}")[10:],
            id="blocks without text",
        ),
    ],
)  # fmt: skip
def test_no_stream_takes_disproportionate_time(data):
    assert seconds(data) < 3


class Stopped(Exception):
    """Raised by a caller to end the reading."""


@pytest.mark.parametrize(
    ("data", "times"),
    [
        pytest.param(packed(HEAD, b"{}," * MIB, b"{}]}"), 12, id="records"),
        pytest.param(packed(HEAD, b" " * 3 * MIB, b"]}"), 12, id="space"),
        pytest.param(packed(HEAD, b'{"a":"' + b"x" * 3 * MIB, b'"}]}'), 12, id="a string"),
        pytest.param(gzip.compress(HEAD + b"]}") + gzip.compress(b"") * 99, 100, id="members"),
        pytest.param(HEAD + b" " * 3 * MIB + b"]}", 12, id="stored as it is"),
    ],
)
def test_progress_is_reported_throughout(data, times):
    asked = []

    open_log(data, STREAMED, lambda: asked.append(1))

    assert len(asked) >= times


@pytest.mark.parametrize("at", [1, 5])
def test_an_exception_from_on_progress_ends_the_reading(at):
    asked = []

    def going():
        asked.append(1)
        if len(asked) == at:
            raise Stopped

    with pytest.raises(Stopped):
        open_log(packed(HEAD, b" " * 3 * MIB, b"]}"), STREAMED, going)
    assert len(asked) == at


def test_progress_is_reported_while_sent_records_are_skipped():
    asked = []
    records = 200_000
    log = open_log(packed(HEAD, b"{}," * records, b"{}]}"), STREAMED, lambda: asked.append(1))
    asked.clear()

    (last,) = log.batches(records, records=10, size=MIB)

    assert last.records == [b"{}"]
    assert len(asked) >= 3 * records // inflation.WINDOW
