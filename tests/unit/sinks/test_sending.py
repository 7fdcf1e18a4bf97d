import threading
import time

import pytest
import stamina
import structlog

from trailcourier.errors import Fault, Rejected
from trailcourier.sinks.sending import LONGEST_WAIT, TRANSIENT, Taken, attempt, deliver
from trailcourier.sinks.terms import Terms

BUSY = Fault("sink-busy", "not now", where="siem")
RUNNING = threading.Event()
TERMS = Terms(retry_attempts=3)
SMALL = Terms(max_record_bytes=1024)


class Threes(Terms):
    @property
    def at_once(self):
        return 3


class Picky:
    """A delivery that rejects any batch with a record in *bad*, and faults before *breaks*."""

    def __init__(self, bad=(), breaks=None):
        self.bad, self.breaks = bad, breaks
        self.accepted, self.tries = [], []

    def send(self, batch):
        self.tries.append(list(batch))
        if any(record in self.bad for record in batch):
            raise Rejected("no")
        if self.breaks in batch:
            raise Fault("sink-credentials", "no longer")
        self.accepted += batch


class Failing:
    """A call that raises each of *faults* in turn, then succeeds."""

    def __init__(self, *faults):
        self.faults, self.calls = list(faults), 0

    def __call__(self):
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)


class Clock:
    def __init__(self):
        self.now, self.waits = 1000.0, []

    def sleep(self, seconds):
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only by sleeping."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def no_waiting():
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def numbered(count, first=0):
    return [(first + n, b"%d" % (first + n)) for n in range(count)]


def told(delivery, records, terms=TERMS, stopping=RUNNING):
    return list(deliver(delivery, records, terms=terms, stopping=stopping))


def test_an_accepted_batch_is_one_piece():
    delivery = Picky()

    assert told(delivery, numbered(5, first=10)) == [Taken(next=15, delivered=5)]
    assert delivery.tries == [[b"10", b"11", b"12", b"13", b"14"]]


def test_no_records_are_no_piece_and_nothing_is_sent():
    delivery = Picky()

    assert told(delivery, []) == []
    assert delivery.tries == []


def test_ordinals_need_not_follow_each_other():
    delivery = Picky(bad={b"b"})

    pieces = told(delivery, [(3, b"a"), (7, b"b"), (20, b"c"), (21, b"d")])

    assert [(each.next, each.delivered) for each in pieces] == [(4, 1), (8, 0), (22, 2)]
    assert [r.ordinal for each in pieces for r in each.refused] == [7]


def test_no_more_than_so_many_records_are_sent_together():
    delivery = Picky(bad={b"4"})

    pieces = told(delivery, numbered(7), Threes())

    assert delivery.tries == [
        [b"0", b"1", b"2"], [b"3", b"4", b"5"], [b"3"], [b"4", b"5"], [b"4"], [b"5"], [b"6"],
    ]  # fmt: skip
    assert [(each.next, each.delivered) for each in pieces] == [
        (3, 3),
        (4, 1),
        (5, 0),
        (6, 1),
        (7, 1),
    ]
    assert [r.ordinal for each in pieces for r in each.refused] == [4]


def test_a_fault_half_way_leaves_what_was_told_before_it_exact():
    delivery = Picky(bad={b"1"}, breaks=b"6")
    pieces = []

    with pytest.raises(Fault, match="no longer"):
        pieces.extend(deliver(delivery, numbered(8), terms=TERMS, stopping=RUNNING))

    assert [(each.next, each.delivered) for each in pieces] == [(1, 1), (2, 0), (4, 2)]
    assert [r.ordinal for each in pieces for r in each.refused] == [1]


def test_told_to_stop_it_ends_between_two_pieces_and_tells_what_was_accepted_out_of_turn():
    stopping = threading.Event()
    delivery = Picky(bad={b"0"})
    pieces = deliver(delivery, numbered(8), terms=TERMS, stopping=stopping)
    first = next(pieces)

    stopping.set()

    assert next(pieces) == Taken(next=8, delivered=1, left=(1, 2, 3, 4, 5, 6))
    with pytest.raises(Fault) as raised:
        next(pieces)
    assert raised.value.reason == "stopping"
    assert first.next == 1
    assert delivery.accepted == [b"7"]


def test_what_is_too_large_is_left_with_the_rest_before_what_was_accepted_out_of_turn():
    records = [(0, b"a"), (3, b"x" * 2000), (4, b"b"), (9, b"c"), (12, b"y" * 2000)]
    delivery = Picky(bad={b"a"}, breaks=b"b")
    pieces = []

    with pytest.raises(Fault, match="no longer"):
        pieces.extend(deliver(delivery, records, terms=SMALL, stopping=RUNNING))

    assert [(each.next, each.delivered, each.left) for each in pieces] == [
        (4, 0, ()),
        (10, 1, (4,)),
    ]
    assert [r.ordinal for each in pieces for r in each.refused] == [0, 3]


def test_an_oversized_record_is_told_with_the_piece_it_stands_in():
    records = [(0, b"{}"), (1, b"x" * 2000), (2, b"[]"), (3, b"y" * 2000)]
    delivery = Picky(bad={b"[]"})

    pieces = told(delivery, records, SMALL)

    assert [(p.next, p.delivered, [r.ordinal for r in p.refused]) for p in pieces] == [
        (2, 1, [1]),
        (4, 0, [2, 3]),
    ]
    assert delivery.accepted == [b"{}"]


def test_a_batch_of_oversized_records_is_told_without_being_sent():
    delivery = Picky()

    (piece,) = told(delivery, [(4, b"x" * 2000), (5, b"y" * 2000)], SMALL)

    assert (piece.next, piece.delivered, len(piece.refused)) == (6, 0, 2)
    assert delivery.tries == []


def test_an_oversized_record_after_a_fault_is_not_told():
    delivery = Picky(breaks=b"{}")

    with pytest.raises(Fault):
        next(deliver(delivery, [(0, b"x" * 2000), (1, b"{}")], terms=SMALL, stopping=RUNNING))


def test_what_was_cut_to_size_is_counted():
    terms = Terms(max_record_bytes=1024, oversize="truncate")
    delivery = Picky()

    (piece,) = told(delivery, [(0, b"{}"), (1, b'{"pad":"' + b"x" * 2000 + b'"}')], terms)

    assert (piece.delivered, piece.truncated) == (2, 1)
    assert b'"trailcourierTruncated"' in delivery.accepted[1]


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_a_passing_fault_is_tried_again(no_waiting, reason):
    call = Failing(Fault(reason, "once"), Fault(reason, "twice"))

    attempt(call, terms=TERMS, stopping=RUNNING)

    assert call.calls == 3


def test_the_last_fault_is_let_through_after_so_many_tries(no_waiting):
    call = Failing(*(Fault("sink-busy", f"{n}") for n in range(9)))

    with pytest.raises(Fault, match="sink-busy: 2"):
        attempt(call, terms=TERMS, stopping=RUNNING)

    assert call.calls == 3


@pytest.mark.parametrize(
    "error",
    [
        Fault("sink-full", "no room"),
        Fault("sink-credentials", "who?"),
        Rejected("bad record"),
        ValueError("a bug"),
    ],
    ids=lambda error: getattr(error, "reason", "bug"),
)
def test_a_fault_that_waiting_does_not_mend_is_let_through_at_once(no_waiting, error):
    call = Failing(error)

    with pytest.raises(type(error)):
        attempt(call, terms=TERMS, stopping=RUNNING)

    assert call.calls == 1


def test_nothing_is_tried_again_once_told_to_stop():
    stopping = threading.Event()
    stopping.set()
    call = Failing(BUSY)

    with pytest.raises(Fault):
        attempt(call, terms=TERMS, stopping=stopping)

    assert call.calls == 1


@pytest.mark.parametrize("takes", [0, 0.4, 3], ids=["fast", "slow", "slower"])
@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(20, 10), (3, 0.3), (5, 0.05), (2, 0)],
    ids=["many", "few", "short", "none"],
)
def test_no_try_begins_after_the_time_allowed(clock, attempts, seconds, takes):
    begun = []

    def call():
        begun.append(clock.now)
        clock.sleep(takes)
        raise BUSY

    with pytest.raises(Fault):
        attempt(call, terms=Terms(retry_attempts=attempts, retry_seconds=seconds), stopping=RUNNING)

    assert begun[-1] - begun[0] <= seconds
    assert len(begun) <= attempts


@pytest.mark.parametrize(("attempts", "seconds"), [(3, 10), (3, 0.3), (20, 20)])
def test_all_tries_are_made_of_a_call_that_fails_fast(clock, attempts, seconds):
    call = Failing(*[BUSY] * 50)

    with pytest.raises(Fault):
        attempt(call, terms=Terms(retry_attempts=attempts, retry_seconds=seconds), stopping=RUNNING)

    assert call.calls == attempts
    assert 0 < max(clock.waits) <= LONGEST_WAIT


def test_a_sink_is_left_alone_for_as_long_as_it_asks(clock):
    call = Failing(Fault("sink-busy", "in a second", after=1.25), Fault("sink-busy", "again"))

    attempt(call, terms=TERMS, stopping=RUNNING)

    assert clock.waits[0] == 1.25
    assert clock.waits[1] <= LONGEST_WAIT
    assert call.calls == 3


def test_a_sink_that_asks_for_more_than_a_wait_may_take_is_not_waited_for(clock):
    call = Failing(Fault("sink-busy", "in a minute", after=60))

    with pytest.raises(Fault, match="in a minute"):
        attempt(call, terms=TERMS, stopping=RUNNING)

    assert clock.waits == []


def test_a_further_try_is_told_and_the_last_is_not(no_waiting):
    with structlog.testing.capture_logs() as logs, pytest.raises(Fault):
        attempt(Failing(*[BUSY] * 9), terms=TERMS, stopping=RUNNING)

    assert [(each["event"], each["sink"], each["tries"]) for each in logs] == [
        ("sink_tried_again", "siem", 1),
        ("sink_tried_again", "siem", 2),
    ]
