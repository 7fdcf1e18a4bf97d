import gzip
import random
from itertools import pairwise

import pytest

from trailcourier.records import LogLimits, open_log

RECORDS = [b'{"n":%d,"x":"%s"}' % (n, b"x" * (n % 7)) for n in range(60)]
LOG = gzip.compress(b'{"Records":[' + b",".join(RECORDS) + b"]}")


@pytest.fixture(params=[0, 1024 * 1024], ids=["streamed", "held"])
def log(request):
    return open_log(LOG, LogLimits(small=request.param))


def test_a_log_has_its_count_and_length(log):
    assert (log.count, log.inflated) == (60, len(gzip.decompress(LOG)))


@pytest.mark.parametrize("first", [0, 1, 7, 59, 60, 100])
@pytest.mark.parametrize("records", [1, 7, 60, 1000])
@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_batches_start_at_any_record(log, first, records, size):
    batches = list(log.batches(first, records=records, size=size))

    assert [record for batch in batches for record in batch.records] == RECORDS[first:]
    assert [batch.first for batch in batches] == [
        first + sum(len(b.records) for b in batches[:n]) for n in range(len(batches))
    ]


@pytest.mark.parametrize(("records", "size"), [(7, 10**6), (60, 100), (4, 60)])
def test_batches_are_as_full_as_possible(log, records, size):
    batches = list(log.batches(records=records, size=size))

    assert all(len(b.records) <= records and sum(map(len, b.records)) <= size for b in batches)
    for batch, following in pairwise(batches):
        with_one_more = [*batch.records, following.records[0]]
        assert len(with_one_more) > records or sum(map(len, with_one_more)) > size


def test_a_record_longer_than_a_batch_gets_its_own():
    text = b'{"Records":[{"a":1},{"a":"%s"},{"a":2},{"a":3}]}' % (b"x" * 100)

    batches = list(open_log(text, LogLimits()).batches(records=10, size=50))

    assert [len(batch.records) for batch in batches] == [1, 1, 2]


def test_batches_can_be_read_twice(log):
    assert list(log.batches(records=7, size=100)) == list(log.batches(records=7, size=100))


def test_a_log_without_records_has_no_batches(read):
    assert read(b'{"Records":[]}') == []


def test_long_records_span_windows():
    rng = random.Random(7)
    records = [b'{"a":"%s"}' % (b"x" * rng.choice([1, 100, 300_000, 900_000])) for _ in range(40)]
    data = gzip.compress(b'{"Records":[' + b",".join(records) + b"]}", 1)

    batches = open_log(data, LogLimits(small=0)).batches(3, records=1000, size=1_000_000)

    assert [record for batch in batches for record in batch.records] == records[3:]


def test_long_files_with_any_records_and_spaces_are_split_between_records():
    rng = random.Random(11)
    kinds = [
        b"{}", b'{"a":1}', b'{"a":[{},{} ,{}]}', b'{"a":[{"a":1},{"a":2}]}', b'{"a":"\\ud800"}',
        b'{"a":"},{"}', b'{"b":"' + b'\\"' * 100 + b'"}', '{"é":[["ü"]]}'.encode(),
        b'{"a":[' + b"[{}]," * 500 + b'{"a":"x"}]}', b'{"a":"' + b"x" * 3000 + b'"}',
    ]  # fmt: skip
    for weights in ([1] * 10, [50, 1, 1, 1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 9, 0, 0, 0, 0, 9, 0]):
        records = rng.choices(kinds, weights, k=8000)
        gaps = rng.choices([b",", b" ,", b", ", b"\t,\n"], k=7999)
        text = b"".join(each for pair in zip(records, [*gaps, b""], strict=True) for each in pair)

        log = open_log(b'{"Records":[' + text + b"]}", LogLimits(small=0))

        batches = log.batches(records=100, size=100_000)
        assert [record for batch in batches for record in batch.records] == records
