import math
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.errors import Fault, Rejected
from trailcourier.sinks.bisection import MANY, Bisection

RUNNING = threading.Event()


class Picky:
    """Rejects any batch with a record in *bad*; from request *ends* on it rejects everything."""

    def __init__(self, bad=(), ends=math.inf):
        self.bad, self.ends = set(bad), ends
        self.requests: list[list[bytes]] = []
        self.accepted: list[bytes] = []
        self.after = lambda: None

    def send(self, batch):
        self.requests.append(list(batch))
        if len(self.requests) > self.ends or self.bad.intersection(batch):
            raise Rejected(f"no {len(self.requests)}")
        self.accepted += batch
        self.after()


def numbers(of):
    return [b"%d" % n for n in of]


def bisected(sink, count, stopping=RUNNING, **known):
    cut = Bisection(sink.send, numbers(range(count)), stopping, **known)
    return cut, list(cut.pieces())


def rejected(pieces):
    return [start for start, _, why in pieces if why]


@given(
    st.integers(1, 200),
    st.sets(st.integers(0, 199)),
    st.fixed_dictionaries(
        {
            "accepted": st.sampled_from(["before", "since"]),
            "at_once": st.sampled_from([None, 1, 3, 50]),
        }
    ),
)
def test_all_but_the_rejected_are_accepted_once_or_it_is_the_sinks_fault(count, bad, known):
    sink = Picky(numbers(bad))
    cut, pieces, why = Bisection(sink.send, numbers(range(count)), RUNNING, **known), [], ""
    try:
        pieces += cut.pieces()
    except Fault as fault:
        why = fault.reason
    if why:
        assert (why, known["accepted"]) == ("sink-rejects-all", "before")
        assert len([n for n in bad if n < count]) > MANY / 2
        return

    good = [record for record in numbers(range(count)) if record not in sink.bad]
    assert sorted(sink.accepted) == sorted(good)
    assert rejected(pieces) == sorted(n for n in bad if n < count)
    assert [start for start, _, _ in pieces] == [0, *(end for _, end, _ in pieces[:-1])]
    sent = Counter(record for one in sink.requests for record in one)
    assert max(sent.values()) <= 1 + math.ceil(math.log2(count))


@given(st.integers(1, 200), st.sampled_from([None, 1, 3, 50]))
def test_a_sink_that_rejects_everything_is_found_out_by_five_requests(count, at_once):
    sink = Picky(ends=0)

    with pytest.raises(Fault) as raised:
        bisected(sink, count, at_once=at_once)

    assert raised.value.reason == "sink-rejects-all"
    assert "rejected" in raised.value.detail
    assert raised.value.detail.endswith(f": no {len(sink.requests)}")
    assert len(sink.requests) <= 5


def test_records_that_are_accepted_are_sent_as_they_stand():
    sink = Picky()

    _, pieces = bisected(sink, 7, at_once=3)

    assert [len(each) for each in sink.requests] == [3, 3, 1]
    assert pieces == [(0, 3, None), (3, 6, None), (6, 7, None)]


def test_the_first_record_is_the_first_probe_so_the_order_stays_where_it_is_accepted():
    sink = Picky([b"5"])

    bisected(sink, 9)

    assert sink.requests[1] == [b"0"]
    assert sink.accepted == numbers(n for n in range(9) if n != 5)


@pytest.mark.parametrize(
    ("good", "requests"), [(0, 2), (99, 3), (50, 4)], ids=["first", "last", "middle"]
)
def test_one_accepted_probe_is_enough_to_believe_the_rejections(good, requests):
    sink = Picky(numbers(n for n in range(100) if n != good))

    _, pieces = bisected(sink, 100)

    assert sink.requests[requests - 1] == [b"%d" % good]
    assert sink.accepted == [b"%d" % good]
    assert len(rejected(pieces)) == 99


def test_the_smallest_record_is_a_probe_too_for_it_may_pass_where_the_others_are_too_large():
    batch = [b"x" * 50] * 9
    batch[2] = b"x"
    sink = Picky([b"x" * 50])

    pieces = list(Bisection(sink.send, batch, RUNNING).pieces())

    assert sink.accepted == [b"x"]
    assert rejected(pieces) == [0, 1, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("count", [1, 2, MANY])
def test_a_few_rejected_in_a_row_are_believed_of_a_sink_that_accepted_others_before(count):
    _, pieces = bisected(Picky(ends=0), count, at_once=1, accepted="before")

    assert rejected(pieces) == [*range(count)]


def test_many_rejected_in_a_row_are_the_sinks_fault_although_it_accepted_others_before():
    sink = Picky(ends=0)

    with pytest.raises(Fault) as raised:
        bisected(sink, 500, accepted="before")

    assert raised.value.reason == "sink-rejects-all"
    assert len(sink.requests) <= MANY + 4


def test_rejections_that_nothing_confirms_are_not_told_before_the_fault():
    sink = Picky(numbers(range(10, 90)), ends=14)
    cut = Bisection(sink.send, numbers(range(100)), RUNNING, at_once=1)
    pieces = []

    with pytest.raises(Fault):
        pieces.extend(cut.pieces())

    assert pieces == [(at, at + 1, None) for at in range(10)]
    assert cut.ahead == []


def test_what_was_rejected_before_is_believed_although_all_of_it_is_rejected_again():
    _, pieces = bisected(Picky(ends=0), 100, accepted="since")

    assert rejected(pieces) == [*range(100)]


def test_a_record_accepted_out_of_turn_is_known_when_it_ends_early_and_not_sent_twice():
    stopping = threading.Event()
    sink = Picky(numbers(range(50)))
    sink.after = stopping.set
    cut = Bisection(sink.send, numbers(range(100)), stopping)

    with pytest.raises(Fault, match="told to stop"):
        list(cut.pieces())

    assert (cut.ahead, sink.accepted) == ([99], [b"99"])


def test_told_to_stop_it_ends_between_two_probes():
    stopping = threading.Event()
    sink = Picky(ends=0)

    def send(batch):
        if len(sink.requests) == 1:
            stopping.set()
        sink.send(batch)

    with pytest.raises(Fault, match="told to stop"):
        list(Bisection(send, numbers(range(100)), stopping).pieces())

    assert len(sink.requests) == 2
