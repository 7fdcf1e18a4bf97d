import threading
import time

import pytest
import stamina
import structlog

from trailcourier.errors import Fault, Rejected
from trailcourier.sinks.batches import LONGEST_WAIT, TRANSIENT, PieceResult, deliver, retry
from trailcourier.sinks.config import DeliverySettings

BUSY = Fault("sink-busy", "not now", where="siem")
SETTINGS = DeliverySettings(retry_attempts=3)
SMALL = DeliverySettings(max_record_bytes=1024)


class ThreePerRequest(DeliverySettings):
    @property
    def max_records_per_request(self):
        return 3


class OnePerRequest(DeliverySettings):
    @property
    def max_records_per_request(self):
        return 1


class Picky:
    """A delivery that rejects batches with a record of *bad*, and fails at the record *breaks*."""

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


class Ending(Picky):
    """A delivery that rejects everything after its first *ends* requests."""

    def __init__(self, bad, ends):
        super().__init__(bad)
        self.ends = ends

    def send(self, batch):
        if len(self.tries) == self.ends:
            self.bad = {b"%d" % n for n in range(100)}
            self.ends = None
        super().send(batch)


class Failing:
    """A call that raises each of *faults* in turn, then succeeds."""

    def __init__(self, *faults):
        self.faults, self.calls = list(faults), 0

    def __call__(self, batch):
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)


SLEEP, MONOTONIC = time.sleep, time.monotonic


class Clock:
    """Simulated time for the thread that creates it; threads of other tests keep the real time."""

    def __init__(self):
        self.now, self.waits = 1000.0, []
        self._thread = threading.get_ident()

    def monotonic(self):
        return self.now if threading.get_ident() == self._thread else MONOTONIC()

    def sleep(self, seconds):
        if threading.get_ident() != self._thread:
            SLEEP(seconds)
            return
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only in sleeps."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def no_waiting():
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def numbered(count, first=0):
    return [(first + n, b"%d" % (first + n)) for n in range(count)]


def pieces_of(delivery, records, settings=SETTINGS):
    return list(deliver(delivery, records, settings))


def test_an_accepted_batch_is_one_piece():
    delivery = Picky()

    assert pieces_of(delivery, numbered(5, first=10)) == [PieceResult(next=15, delivered=5)]
    assert delivery.tries == [[b"10", b"11", b"12", b"13", b"14"]]


def test_without_records_nothing_is_sent_and_no_piece_is_yielded():
    delivery = Picky()

    assert pieces_of(delivery, []) == []
    assert delivery.tries == []


def test_ordinals_may_have_gaps():
    delivery = Picky(bad={b"b"})

    pieces = pieces_of(delivery, [(3, b"a"), (7, b"b"), (20, b"c"), (21, b"d")])

    assert [(each.next, each.delivered) for each in pieces] == [(4, 1), (8, 0), (22, 2)]
    assert [r.ordinal for each in pieces for r in each.refused] == [7]


def test_a_request_has_at_most_the_set_number_of_records():
    delivery = Picky(bad={b"4"})

    pieces = pieces_of(delivery, numbered(7), ThreePerRequest())

    assert delivery.tries == [
        [b"0", b"1", b"2"], [b"3", b"4", b"5"], [b"3"], [b"4", b"5"],
        [b"4"], [b"5"], [b"4"], [b"6"],
    ]  # fmt: skip
    assert [(each.next, each.delivered) for each in pieces] == [
        (3, 3),
        (4, 1),
        (5, 0),
        (6, 1),
        (7, 1),
    ]
    assert [r.ordinal for each in pieces for r in each.refused] == [4]


def test_pieces_yielded_before_a_fault_are_exact():
    delivery = Picky(bad={b"1"}, breaks=b"6")
    pieces = []

    with pytest.raises(Fault, match="no longer"):
        pieces.extend(deliver(delivery, numbered(8), SETTINGS))

    assert [(each.next, each.delivered) for each in pieces] == [(1, 1), (2, 0), (4, 2)]
    assert [r.ordinal for each in pieces for r in each.refused] == [1]


def test_a_fault_between_two_pieces_yields_first_what_was_accepted_out_of_order():
    delivery = Picky(bad={b"0"})
    pieces = deliver(delivery, numbered(8), SETTINGS)
    first = next(pieces)

    delivery.breaks = b"1"

    assert next(pieces) == PieceResult(next=8, delivered=1, skipped=(1, 2, 3, 4, 5, 6))
    with pytest.raises(Fault, match="no longer"):
        next(pieces)
    assert first.next == 1
    assert delivery.accepted == [b"7"]


def test_an_oversized_record_before_one_accepted_out_of_order_is_not_skipped():
    records = [(0, b"a"), (3, b"x" * 2000), (4, b"b"), (9, b"c"), (12, b"y" * 2000)]
    delivery = Picky(bad={b"a"}, breaks=b"b")
    pieces = []

    with pytest.raises(Fault, match="no longer"):
        pieces.extend(deliver(delivery, records, SMALL))

    assert [(each.next, each.delivered, each.skipped) for each in pieces] == [
        (4, 0, ()),
        (10, 1, (4,)),
    ]
    assert [r.ordinal for each in pieces for r in each.refused] == [0, 3]


def test_unconfirmed_rejections_at_the_end_of_a_batch_leave_the_rest_in_doubt():
    records = [*numbered(3), (5, b"x" * 2000)]

    pieces = pieces_of(Picky(bad={b"1", b"2"}), records, OnePerRequest(max_record_bytes=1024))

    assert pieces == [
        PieceResult(next=1, delivered=1),
        PieceResult(
            next=1, delivered=0, in_doubt=(1, 2, 5), rejected_alone=(1, 2), last_rejection="no"
        ),
    ]


def test_records_accepted_out_of_order_are_yielded_with_those_in_doubt():
    delivery = Ending(bad={b"0", b"1"}, ends=6)

    pieces = pieces_of(delivery, numbered(6), OnePerRequest())

    assert delivery.accepted == [b"5", b"2"]
    assert [r.ordinal for each in pieces for r in each.refused] == [0, 1]
    assert pieces[-1] == PieceResult(
        next=6,
        delivered=1,
        skipped=(3, 4),
        in_doubt=(3, 4),
        rejected_alone=(3, 4),
        last_rejection="no",
    )


def test_an_oversized_record_is_refused_with_its_piece():
    records = [(0, b"{}"), (1, b"x" * 2000), (2, b"[]"), (3, b"y" * 2000), (4, b"1")]
    delivery = Picky(bad={b"[]"})

    pieces = pieces_of(delivery, records, SMALL)

    assert [(p.next, p.delivered, [r.ordinal for r in p.refused]) for p in pieces] == [
        (2, 1, [1]),
        (4, 0, [2, 3]),
        (5, 1, []),
    ]
    assert delivery.accepted == [b"{}", b"1"]


def test_a_batch_of_oversized_records_is_refused_without_being_sent():
    delivery = Picky()

    (piece,) = pieces_of(delivery, [(4, b"x" * 2000), (5, b"y" * 2000)], SMALL)

    assert (piece.next, piece.delivered, len(piece.refused)) == (6, 0, 2)
    assert delivery.tries == []


def test_an_oversized_record_is_not_yielded_before_a_fault():
    delivery = Picky(breaks=b"{}")

    with pytest.raises(Fault):
        next(deliver(delivery, [(0, b"x" * 2000), (1, b"{}")], SMALL))


def test_truncated_records_are_counted():
    settings = DeliverySettings(max_record_bytes=1024, oversize="truncate")
    delivery = Picky()

    (piece,) = pieces_of(delivery, [(0, b"{}"), (1, b'{"pad":"' + b"x" * 2000 + b'"}')], settings)

    assert (piece.delivered, piece.truncated) == (2, 1)
    assert b'"trailcourierTruncated"' in delivery.accepted[1]


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_a_transient_fault_is_retried(no_waiting, reason):
    call = Failing(Fault(reason, "once"), Fault(reason, "twice"))

    retry(call, [], SETTINGS)

    assert call.calls == 3


def test_the_last_fault_is_raised_after_the_set_number_of_tries(no_waiting):
    call = Failing(*(Fault("sink-busy", f"{n}") for n in range(9)))

    with pytest.raises(Fault, match="sink-busy: 2"):
        retry(call, [], SETTINGS)

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
def test_a_fault_that_is_not_transient_is_raised_at_once(no_waiting, error):
    call = Failing(error)

    with pytest.raises(type(error)):
        retry(call, [], SETTINGS)

    assert call.calls == 1


@pytest.mark.parametrize("takes", [0, 0.4, 3], ids=["fast", "slow", "slower"])
@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(20, 10), (3, 0.3), (5, 0.05), (2, 0)],
    ids=["many", "few", "short", "none"],
)
def test_no_try_begins_after_retry_seconds(clock, attempts, seconds, takes):
    begun = []

    def call(batch):
        begun.append(clock.now)
        clock.sleep(takes)
        raise BUSY

    with pytest.raises(Fault):
        retry(call, [], DeliverySettings(retry_attempts=attempts, retry_seconds=seconds))

    assert begun[-1] - begun[0] <= seconds
    assert len(begun) <= attempts


@pytest.mark.parametrize(("attempts", "seconds"), [(3, 10), (3, 0.3), (20, 20)])
def test_a_call_that_fails_fast_is_tried_as_often_as_allowed(clock, attempts, seconds):
    call = Failing(*[BUSY] * 50)

    with pytest.raises(Fault):
        retry(call, [], DeliverySettings(retry_attempts=attempts, retry_seconds=seconds))

    assert call.calls == attempts
    assert 0 < max(clock.waits) <= LONGEST_WAIT


def test_the_wait_is_as_long_as_the_sink_asks(clock):
    call = Failing(Fault("sink-busy", "in a second", after=1.25), Fault("sink-busy", "again"))

    retry(call, [], SETTINGS)

    assert clock.waits[0] == 1.25
    assert clock.waits[1] <= LONGEST_WAIT
    assert call.calls == 3


def test_a_longer_wait_than_the_longest_is_not_made(clock):
    call = Failing(Fault("sink-busy", "in a minute", after=60))

    with pytest.raises(Fault, match="in a minute"):
        retry(call, [], SETTINGS)

    assert clock.waits == []


def test_each_retry_is_logged(no_waiting):
    with structlog.testing.capture_logs() as logs, pytest.raises(Fault):
        retry(Failing(*[BUSY] * 9), [], SETTINGS)

    assert [(each["event"], each["sink"], each["tries"]) for each in logs] == [
        ("sink_tried_again", "siem", 1),
        ("sink_tried_again", "siem", 2),
    ]
