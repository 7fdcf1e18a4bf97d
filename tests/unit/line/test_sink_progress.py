"""How far one sink is with one object: what it is offered again, and what is told of it."""

import threading
from typing import Any

import pytest

from trailcourier.errors import Fault
from trailcourier.ledger.claims import Claim
from trailcourier.line.live_claims import LiveClaim
from trailcourier.line.sink_progress import SinkProgress
from trailcourier.models import ObjectRef
from trailcourier.sinks import ConfiguredSink
from trailcourier.sinks.batches import PieceResult, RefusedRecord
from trailcourier.sinks.config import DeliverySettings


class Sink:
    """A sink that takes whatever it is sent."""

    name = "siem"

    def __init__(self, commits: Any = "batch"):
        self.commits, self.calls = commits, []

    def send(self, batch: Any) -> None:
        self.calls.append("send")

    def finish(self) -> None:
        self.calls.append("finish")

    def drop(self) -> None: ...


CLAIM = Claim("m", 0, "token", "task", b"oid", ObjectRef("b", "k"))
NoClaims: Any = None  # nothing is renewed here


def track(commits="batch", **known):
    sink = Sink(commits)
    live = LiveClaim(CLAIM, NoClaims, 7.0, 7.0, 30.0, lambda: 7.0, threading.Event())
    return SinkProgress(ConfiguredSink(sink, DeliverySettings()), live, delivery=sink, **known)


def numbered(*ordinals):
    return [(at, b'{"eventID":"%d"}' % at) for at in ordinals]


def test_what_is_held_is_not_passed_over_by_what_is_sent_before_it():
    it = track(next=2, in_doubt=dict(numbered(2)), refused_if_rejected=frozenset({5}), resend={5})

    parts = it.parts(numbered(4, 5, 6))
    next(parts)

    assert it.next == 6
    assert [at for at in range(8) if it.wants(at)] == [2, 4, 5, 6, 7]


def test_what_is_doubted_is_sent_first_and_what_lies_before_it_is_still_wanted():
    it = track(
        refused_if_rejected=frozenset({3}), rejected_alone={3}, resend={3}, accepts_others=True
    )
    parts = it.parts(numbered(0, 1, 2, 3, 4))

    part, accepted, _ = next(parts)
    it.note(PieceResult(4, 0, (RefusedRecord(3, "rejected-records", "no"),)), part)

    assert (part, accepted) == (numbered(3), "since")
    assert [at for at in range(6) if it.wants(at)] == [0, 1, 2, 4, 5]
    assert next(parts) == (numbered(0, 1, 2, 4), "before", 16)


def test_one_that_others_vouch_for_may_reject_the_more_the_more_it_has_refused():
    refused = {at: RefusedRecord(at, "rejected-records", "no") for at in range(9)}

    ((_, _, vouched),) = track(accepts_others=True, refused=refused).parts(numbered(9))
    ((_, _, alone),) = track(refused=refused).parts(numbered(9))

    assert (vouched, alone) == (36, 16)


def test_a_batch_is_accepted_when_it_was_sent_and_an_object_when_it_is_finished():
    batches, objects = track(), track("object")

    for each in (batches, objects):
        each.send([b"{}"])
    before = batches.accepted_at, objects.accepted_at, objects.state()
    for each in (batches, objects):
        each.finish()

    assert before == (7.0, None, {})
    assert (batches.state(), objects.state()) == ({"p:siem": 0, "o:siem": 1}, {"o:siem": 1})
    assert objects.accepted_at == 7.0


def test_a_list_that_an_earlier_try_left_is_kept_up_to_date_until_it_is_empty():
    it = track(
        next=3,
        rejected_alone={1},
        resend={1},
        refused_if_rejected=frozenset({1}),
        lists_stored=True,
    )
    for part, _, _ in it.parts(numbered(1)):
        it.note(PieceResult(2, 1), part)

    assert it.state() == {"p:siem": 3, "a:siem": "[]", "j:siem": "[]", "l:siem": "[]"}
    assert track(next=3).state() == {"p:siem": 3}


def test_a_worker_that_stops_begins_no_request_but_finishes_what_was_sent():
    it = track("object")
    it.send([b"{}"])
    it.live.stopping.set()

    with pytest.raises(Fault, match="told to stop"):
        it.send([b"{}"])
    it.finish()

    assert it.delivery.calls == ["send", "finish"]
