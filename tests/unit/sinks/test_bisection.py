import contextlib
import math
import threading
from collections import Counter
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.errors import Fault, Rejected
from trailcourier.sinks.bisection import PROBE_AFTER, Bisection


class Picky:
    """Rejects batches with a record of *bad*.

    It rejects everything up to request *begins* and after request *ends*.
    """

    def __init__(self, bad=(), ends=math.inf, begins=0):
        self.bad, self.ends, self.begins = set(bad), ends, begins
        self.requests: list[list[bytes]] = []
        self.accepted: list[bytes] = []
        self.after = lambda: None

    def send(self, batch):
        self.requests.append(list(batch))
        if not self.begins < len(self.requests) <= self.ends or self.bad.intersection(batch):
            raise Rejected(f"no {len(self.requests)}")
        self.accepted += batch
        self.after()


STOP = Fault("stopping", "the worker was told to stop")


class Stopped:
    """What sends to a sink, and raises once *stopped* is set, as a worker's sending does."""

    def __init__(self, sink):
        self.sink, self.stopped = sink, threading.Event()

    def send(self, batch):
        if self.stopped.is_set():
            raise STOP
        self.sink.send(batch)


def numbers(of):
    return [b"%d" % n for n in of]


def bisected(sink, count, **known):
    bisection = Bisection(sink.send, numbers(range(count)), **known)
    return bisection, list(bisection.pieces())


class Away(Picky):
    """Also rejects everything for *lasts* requests from request *leaves* on."""

    def __init__(self, bad, leaves, lasts):
        super().__init__(bad)
        self.away = range(leaves, leaves + lasts)

    def send(self, batch):
        if len(self.requests) in self.away:
            self.requests.append(list(batch))
            raise Rejected("away")
        super().send(batch)


def rejected(pieces):
    return [start for start, _, why in pieces if why]


@given(
    st.integers(1, 200),
    st.sets(st.integers(0, 199)),
    st.fixed_dictionaries(
        {
            "accepted": st.sampled_from(["before", "since"]),
            "max_records": st.sampled_from([None, 1, 3, 50]),
        }
    ),
)
def test_all_but_rejected_records_are_accepted_once_or_the_sink_is_at_fault(count, bad, known):
    sink = Picky(numbers(bad))
    bisection, pieces, why = Bisection(sink.send, numbers(range(count)), **known), [], ""
    try:
        pieces += bisection.pieces()
    except Fault as fault:
        why = fault.reason
    if why:
        assert (why, known["accepted"]) == ("sink-rejects-all", "before")
        assert len([n for n in bad if n < count]) > PROBE_AFTER / 2
        return

    good = [record for record in numbers(range(count)) if record not in sink.bad]
    assert sorted(sink.accepted) == sorted(good)
    end = pieces[-1][1] if pieces else 0
    in_doubt = set(range(end, count)).difference(bisection.accepted_ahead)
    assert in_doubt <= bad
    assert not in_doubt or known["accepted"] == "before"
    assert rejected(pieces) == sorted(n for n in bad if n < end)
    assert [start for start, _, _ in pieces] == [0, *(end for _, end, _ in pieces)][: len(pieces)]
    sent = Counter(record for one in sink.requests for record in one)
    assert max(sent.values()) <= 2 + math.ceil(math.log2(count))


@given(st.integers(1, 200), st.sampled_from([None, 1, 3, 50]))
def test_five_requests_show_that_a_sink_rejects_everything(count, max_records):
    sink = Picky(ends=0)

    with pytest.raises(Fault) as raised:
        bisected(sink, count, max_records=max_records)

    assert raised.value.reason == "sink-rejects-all"
    assert "rejected" in raised.value.detail
    assert raised.value.detail.endswith(f": no {len(sink.requests)}")
    assert len(sink.requests) <= 5


def test_accepted_records_are_sent_in_order_and_once():
    sink = Picky()

    _, pieces = bisected(sink, 7, max_records=3)

    assert [len(each) for each in sink.requests] == [3, 3, 1]
    assert pieces == [(0, 3, None), (3, 6, None), (6, 7, None)]


def test_the_first_record_is_the_first_probe_so_that_the_order_stays():
    sink = Picky([b"5"])

    bisected(sink, 9)

    assert sink.requests[1] == [b"0"]
    assert sink.accepted == numbers(n for n in range(9) if n != 5)


@pytest.mark.parametrize(
    ("good", "requests"), [(0, 2), (99, 3), (50, 4)], ids=["first", "last", "middle"]
)
def test_one_accepted_probe_continues_the_bisection(good, requests):
    sink = Picky(numbers(n for n in range(100) if n != good))

    with pytest.raises(Fault):
        bisected(sink, 100)

    assert sink.requests[requests - 1] == [b"%d" % good]
    assert sink.accepted == [b"%d" % good]
    assert PROBE_AFTER < len(sink.requests) - requests <= PROBE_AFTER + 4


def test_the_smallest_record_is_a_probe_because_others_may_be_too_large():
    batch = [b"x" * 50] * 9
    batch[2] = b"x"
    sink = Picky([b"x" * 50])

    bisection = Bisection(sink.send, batch)
    pieces = list(bisection.pieces())

    assert sink.accepted == [b"x"]
    assert (rejected(pieces), bisection.accepted_ahead, bisection.rejected_alone) == (
        [0],
        [2],
        [1, 3, 5, 6, 7],
    )


@given(
    st.integers(1, 40),
    st.sets(st.integers(0, 39), max_size=4),
    st.integers(0, 60),
    st.integers(1, 60),
    st.fixed_dictionaries(
        {
            "max_records": st.sampled_from([None, 1, 3]),
            "accepted": st.sampled_from(["nothing", "before"]),
        }
    ),
)
def test_no_good_record_is_refused_if_the_sink_rejects_everything_for_a_while(
    count, bad, leaves, lasts, known
):
    sink = Away(numbers(bad), leaves, lasts)
    pieces = []

    with contextlib.suppress(Fault):
        bisection = Bisection(sink.send, numbers(range(count)), **known)
        pieces.extend(bisection.pieces())

    assert set(rejected(pieces)) <= bad
    assert max(Counter(sink.accepted).values(), default=1) == 1


def test_records_rejected_alone_are_known_after_a_fault_of_the_sink():
    bisection = Bisection(Picky(ends=0).send, numbers(range(9)))

    with pytest.raises(Fault):
        list(bisection.pieces())

    assert bisection.rejected_alone == [0, 4, 8]


def test_a_rejected_probe_stays_rejected_alone_if_sending_it_again_fails():
    sink = Picky(numbers([0, 1, 2]))

    def send(batch):
        if batch == [b"0"] and batch in sink.requests:
            raise Fault("sink-busy", "later")
        sink.send(batch)

    bisection = Bisection(send, numbers(range(5)))
    with pytest.raises(Fault, match="later"):
        list(bisection.pieces())

    assert (bisection.accepted_ahead, bisection.rejected_alone) == ([4], [0])


def test_probes_begin_after_the_given_number_of_rejections():
    sink = Picky(ends=0)

    with pytest.raises(Fault):
        bisected(sink, 500, accepted="before", probe_after=60)

    assert 60 <= len(sink.requests) <= 64


@pytest.mark.parametrize("count", [1, 2, PROBE_AFTER])
def test_rejections_stay_in_doubt_if_the_sink_accepted_others_only_before(count):
    bisection, pieces = bisected(Picky(ends=0), count, max_records=1, accepted="before")

    assert (pieces, bisection.accepted_ahead, bisection.last_rejection) == ([], [], f"no {count}")


@pytest.mark.parametrize("max_records", [None, 1])
def test_a_record_that_was_rejected_before_the_sink_recovered_is_sent_again(max_records):
    sink = Picky(begins=2)

    _, pieces = bisected(sink, 3, max_records=max_records)

    assert rejected(pieces) == []
    assert sorted(sink.accepted) == numbers(range(3))


def test_a_record_in_doubt_is_sent_again_once_the_sink_accepts_another():
    sink = Picky([b"2", b"3"])

    _, pieces = bisected(sink, 6, max_records=1)

    assert [one for (one,) in sink.requests] == [b"0", b"1", b"2", b"3", b"4", b"2", b"3", b"5"]
    assert pieces[2:4] == [(2, 3, ANY), (3, 4, ANY)]
    assert rejected(pieces) == [2, 3]


def test_records_accepted_while_others_are_in_doubt_are_known_after_a_stop():
    sink = Picky([b"1"])
    worker = Stopped(sink)
    sink.after = lambda: worker.stopped.set() if b"2" in sink.accepted else None
    bisection, pieces = Bisection(worker.send, numbers(range(4)), max_records=1), []

    with pytest.raises(Fault, match="told to stop"):
        pieces.extend(bisection.pieces())

    assert (pieces, bisection.accepted_ahead) == ([(0, 1, None)], [2])


def test_a_probe_accepted_before_the_last_rejections_does_not_confirm_them():
    sink = Picky([b"0", b"1"], ends=6)

    bisection, pieces = bisected(sink, 6, max_records=1)

    assert [one for (one,) in sink.requests[:6]] == [b"0", b"1", b"5", b"0", b"1", b"2"]
    assert pieces == [(0, 1, ANY), (1, 2, ANY), (2, 3, None)]
    assert (rejected(pieces), bisection.accepted_ahead) == ([0, 1], [5])


def test_many_rejections_in_a_row_are_the_sinks_fault_even_if_it_accepted_before():
    sink = Picky(ends=0)

    with pytest.raises(Fault) as raised:
        bisected(sink, 500, accepted="before")

    assert raised.value.reason == "sink-rejects-all"
    assert len(sink.requests) <= PROBE_AFTER + 4


def test_unconfirmed_rejections_are_not_yielded_before_the_fault():
    sink = Picky(numbers(range(10, 90)), ends=14)
    bisection = Bisection(sink.send, numbers(range(100)), max_records=1)
    pieces = []

    with pytest.raises(Fault):
        pieces.extend(bisection.pieces())

    assert pieces == [(at, at + 1, None) for at in range(10)]
    assert bisection.accepted_ahead == []


def test_rejections_are_believed_if_the_sink_accepted_others_since():
    _, pieces = bisected(Picky(ends=0), 100, accepted="since")

    assert rejected(pieces) == [*range(100)]


def test_a_record_accepted_out_of_order_is_known_after_a_stop_and_not_sent_twice():
    sink = Picky(numbers(range(50)))
    worker = Stopped(sink)
    sink.after = worker.stopped.set
    bisection = Bisection(worker.send, numbers(range(100)))

    with pytest.raises(Fault, match="told to stop"):
        list(bisection.pieces())

    assert (bisection.accepted_ahead, sink.accepted) == ([99], [b"99"])


def test_a_stop_ends_the_bisection_between_two_probes():
    sink = Picky(ends=0)

    def send(batch):
        if len(sink.requests) == 2:
            raise STOP
        sink.send(batch)

    with pytest.raises(Fault, match="told to stop"):
        list(Bisection(send, numbers(range(100))).pieces())

    assert len(sink.requests) == 2


@pytest.mark.parametrize("bad", [[b"3"], [b"0"], [b"5"], numbers(range(6))], ids=str)
def test_a_first_request_that_was_sent_already_is_not_sent_again(bad):
    def run(bisection):
        try:
            return list(bisection.pieces())
        except Fault as fault:
            return fault.reason

    whole, rest = Picky(bad), Picky(bad)
    expected = run(Bisection(whole.send, numbers(range(6))))
    with pytest.raises(Rejected) as rejection:
        rest.send(numbers(range(6)))

    found = run(Bisection(rest.send, numbers(range(6)), rejection=rejection.value))

    assert str(found) == str(expected)
    assert rest.requests == whole.requests
