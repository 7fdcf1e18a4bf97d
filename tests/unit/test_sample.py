"""The gauges of a worker that polls, and of one that only carries."""

import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.unit.fleets import move, pulse, well, wired
from trailcourier.ledger.left import LeftMessage
from trailcourier.ledger.workers import OBJECTS
from trailcourier.sample import KNOWN, Samples


@pytest.fixture
def wire(client):
    with wired(client) as found:
        yield found


def told(samples):
    """What a scrape shows: a line's name and labels, and its value."""
    registry = CollectorRegistry()
    registry.register(samples)
    lines = generate_latest(registry).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def standstill(kind):
    return f'trailcourier_standstill{{kind="{kind}",source="prod"}}'


@pytest.mark.parametrize("whole", [True, False])
def test_every_worker_tells_who_is_there_and_what_moves(wire, ledger, whole):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", ahead=-7.5)
    samples = Samples(whole=whole)
    samples.take()

    found = told(samples)

    assert found['trailcourier_processes{role="objects"}'] == "2.0"
    assert found['trailcourier_processes{role="beat"}'] == "1.0"
    assert float(found['trailcourier_step_seconds{source="prod",step="poll"}']) < 5
    assert found['trailcourier_clock_ahead_seconds{host="b",process="objects@b/7"}'] == "-7.5"
    assert {found[each] for each in found if "standstill" in each} == {"0.0"}
    assert ('trailcourier_objects_parked{source="prod"}' in found) is whole


def test_messages_left_to_the_queue_and_what_had_no_room_are_told(wire, ledger):
    ledger.left.note([LeftMessage("m", "r", 1, "acme-logs/1")], {"m": 100})
    ledger.sums.count({"quarantine:messages-forgotten": 2})
    samples = Samples()
    samples.take()

    found = told(samples)

    assert found['trailcourier_messages_left{source="prod"}'] == "1.0"
    assert found['trailcourier_quarantine_forgotten{kind="objects",source="prod"}'] == "0.0"
    assert found['trailcourier_quarantine_forgotten{kind="messages",source="prod"}'] == "2.0"


def test_one_that_carries_tells_that_nobody_polls(wire, ledger):
    pulse(ledger, OBJECTS)
    move(ledger, "tick")
    samples = Samples(whole=False)
    samples.take()

    found = told(samples)

    assert found[standstill("no-control-worker")] == "1.0"
    assert found[standstill("no-tick")] == "0.0"
    assert found['trailcourier_processes{role="control"}'] == "0.0"
    assert 'trailcourier_step_seconds{source="prod",step="poll"}' not in found


def test_what_moved_before_the_broker_went_is_not_told_for_ever(wire, ledger, monkeypatch):
    samples = Samples()
    samples.take()
    assert told(samples)[standstill("no-control-worker")] == "1.0"

    later = time.monotonic() + KNOWN + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)

    found = told(samples)
    assert [each for each in found if "standstill" in each or "processes" in each] == []
    assert 'trailcourier_objects_parked{source="prod"}' in found
