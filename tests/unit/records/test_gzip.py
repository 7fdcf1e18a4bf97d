import gzip
import struct
import tracemalloc
import zlib

import pytest

from trailcourier.errors import Fault
from trailcourier.records import LogLimits, open_log
from trailcourier.records.envelope import _crowded
from trailcourier.records.inflation import text_windows

RECORDS = [b'{"eventVersion":"1.11","eventID":"%d"}' % n for n in range(100)]
LOG = b'{"Records":[' + b",".join(RECORDS) + b"]}"
PACKED = gzip.compress(LOG)
MIB = 1024 * 1024


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 0x10
    return bytes(changed)


def test_one_envelope_may_span_gzip_members(read):
    members = gzip.compress(LOG[:300]) + gzip.compress(b"") + gzip.compress(LOG[300:])

    assert read(members) == RECORDS


def test_an_envelope_may_span_a_thousand_gzip_members(read):
    assert read(b"".join(gzip.compress(LOG[n : n + 4]) for n in range(0, len(LOG), 4))) == RECORDS


def test_a_header_may_have_every_field(read):
    header = b"\x1f\x8b\x08\x1f" + PACKED[4:10] + b"\3\0abc" + b"name\0" + b"comment\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)

    assert read(header + PACKED[10:]) == RECORDS


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PACKED[:-1], id="without its last byte"),
        pytest.param(PACKED[:-8], id="without its trailer"),
        pytest.param(PACKED[: len(PACKED) // 2], id="half"),
        pytest.param(PACKED[:10], id="a header"),
        pytest.param(b"\x1f\x8b", id="the magic"),
        pytest.param(PACKED + b"\0", id="a zero byte behind"),
        pytest.param(PACKED + b"\0" * 1000, id="padding behind"),
        pytest.param(PACKED + LOG, id="plain text behind"),
        pytest.param(PACKED + PACKED[:20], id="half a member behind"),
        pytest.param(PACKED + b"\x1f\x8b", id="the magic behind"),
        pytest.param(flipped(PACKED, -8), id="another CRC"),
        pytest.param(flipped(PACKED, -1), id="another length"),
        pytest.param(flipped(PACKED, 2), id="another method"),
        pytest.param(PACKED + flipped(PACKED, -8), id="a second member with another CRC"),
        pytest.param(gzip.compress(LOG[:50]) + flipped(gzip.compress(LOG[50:]), -8), id="split"),
        pytest.param(flipped(gzip.compress(b"[]"), -8), id="another CRC and no log"),
        pytest.param(gzip.compress(b"[]") + b"x", id="bytes behind and no log"),
    ],
)
def test_a_damaged_stream_is_corrupt(data, read):
    assert read(data).startswith("corrupt: ")


def test_two_envelopes_in_two_members_are_not_a_log(read):
    assert read(PACKED + PACKED).startswith("unparseable: ")


@pytest.mark.parametrize("at", range(10, len(PACKED), 7))
def test_every_flipped_bit_is_detected(at, read):
    assert read(flipped(PACKED, at)).startswith("corrupt: ")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        pytest.param({"compressed": len(PACKED) - 1}, "bytes as stored, the limit is", id="stored"),
        pytest.param({"inflated": len(LOG) - 1}, "bytes once inflated", id="inflated"),
        pytest.param({"record": len(RECORDS[-1]) - 1}, "record 10 is longer than 37", id="record"),
    ],
)
def test_data_over_a_limit_is_too_large(limits, message, read):
    found = read(PACKED, **limits)

    assert found.startswith("too-large: ")
    assert message in found


def test_data_exactly_at_the_limits_is_read(read):
    limits = {"compressed": len(PACKED), "inflated": len(LOG), "record": len(RECORDS[-1])}

    assert read(PACKED, **limits) == RECORDS


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"Records":[{"a":"' + b"x" * 999, id="a string without end"),
        pytest.param(b'{"Records":[{"a":' + b"1" * 999, id="a number without end"),
        pytest.param(b'{"Records":[' + b"[" * 999, id="brackets without end"),
        pytest.param(b'{"v":"' + b"x" * 99 + b'","Records":[]}', id="a member beside"),
        pytest.param(b'{"' + b"x" * 99 + b'":1,"Records":[]}', id="a name"),
        pytest.param(b'{"Records":[{"a":1},{"a":"' + b"x" * 99 + b'"},{]}', id="then a fault"),
    ],
)
def test_an_unterminated_value_is_too_large_or_unparseable(text, read):
    found = read(gzip.compress(text), record=90)

    assert found.startswith("unparseable" if b"[[" in text else "too-large")


@pytest.mark.parametrize(
    "filling",
    [
        pytest.param(b'{"Records":[{"a":"' + b"a" * MIB, id="one string"),
        pytest.param(b" " * MIB, id="space"),
        pytest.param(b'{"Records":[' + b"{}," * 400_000, id="the smallest records"),
        pytest.param(b'{"Records":[' + b'{"a":1},' * 100_000, id="small records"),
        pytest.param(b'{"Records":[' + b'{"a":"\xe2\x82\xac"},' * 100_000, id="unicode"),
        pytest.param(b"[" * MIB, id="brackets"),
        pytest.param(b'"' * MIB, id="quotes"),
    ],
)
def test_a_gzip_bomb_needs_little_memory(filling):
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(filling)]
    parts += [packer.compress(filling[-MIB // 2 :]) for _ in range(32)]
    bomb = b"".join(parts) + packer.flush()
    limits = LogLimits(inflated=12 * MIB, record=MIB)

    tracemalloc.start()
    with pytest.raises(Fault):
        open_log(bomb, limits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 24 * MIB


@pytest.mark.parametrize(
    "head", [pytest.param(b"", id="all of it"), pytest.param(LOG[12:-2] + b",", id="but the first")]
)
def test_a_text_of_the_smallest_records_needs_little_memory(head):
    text = b'{"Records":[' + head + b"{}," * 2_000_000 + b"{}]}"
    data = gzip.compress(text)

    tracemalloc.start()
    log = open_log(data, LogLimits())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert log.count == 2_000_001 + bool(head) * len(RECORDS)
    assert peak < 36 * MIB


def test_an_ordinary_text_is_not_crowded():
    assert not any(_crowded(LOG * 200) for _ in range(100))
    assert _crowded(b"{}," * 1000)


def test_inflation_stops_at_the_limit():
    bomb = gzip.compress(bytes(64 * MIB))

    tracemalloc.start()
    with pytest.raises(Fault, match="too-large"):
        open_log(bomb, LogLimits(inflated=MIB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 6 * MIB


def test_a_large_log_is_never_in_memory_as_a_whole():
    records = [b'{"eventVersion":"1.11","n":%d,"x":"%s"}' % (n, b"x" * 900) for n in range(30_000)]
    data = gzip.compress(b'{"Records":[' + b",".join(records) + b"]}", 1)
    del records

    tracemalloc.start()
    log = open_log(data, LogLimits())
    sizes = [len(b.records) for b in log.batches(records=1000, size=MIB)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(sizes) == log.count == 30_000
    assert log.inflated > 26 * MIB
    assert peak < 14 * MIB  # 8 are held until it is known to be large


def test_bytes_after_the_stream_are_counted():
    with pytest.raises(
        Fault, match=f"corrupt: 3 bytes follow the gzip stream, at byte {len(PACKED)}"
    ):
        open_log(PACKED + b"xyz", LogLimits())


def test_tiny_members_are_joined_into_windows():
    data = gzip.compress(b"x") * 1000

    assert list(text_windows(data, MIB)) == [b"x" * 1000]


def test_a_last_member_of_one_byte_does_not_make_windows_of_one_byte():
    data = gzip.compress(LOG[:-1] + b" " * MIB, 1) + gzip.compress(b"}")

    assert max(map(len, text_windows(data, 2 * MIB))) > 100_000
