"""The gauges of a control worker, and of an object worker."""

import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.support.unit_fleets import move, pulse, well, wired
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.ledger.workers import OBJECTS
from trailcourier.worker.gauges import MAX_AGE, Samples


@pytest.fixture
def wire(client):
    with wired(client) as found:
        yield found


def scraped(samples):
    """Return the values of a scrape by name and labels."""
    registry = CollectorRegistry()
    registry.register(samples)
    lines = generate_latest(registry).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def standstill(kind):
    return f'trailcourier_standstill{{kind="{kind}",source="prod"}}'


@pytest.mark.parametrize("whole", [True, False])
def test_every_worker_exports_the_fleet_and_the_steps(wire, ledger, whole):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", ahead=-7.5)
    samples = Samples(whole=whole)
    samples.take()

    found = scraped(samples)

    assert found['trailcourier_processes{role="objects"}'] == "2.0"
    assert found['trailcourier_processes{role="beat"}'] == "1.0"
    assert float(found['trailcourier_step_seconds{source="prod",step="poll"}']) < 5
    assert found['trailcourier_clock_ahead_seconds{host="b",process="objects@b/7"}'] == "-7.5"
    assert {found[each] for each in found if "standstill" in each} == {"0.0"}
    assert ('trailcourier_objects_parked{source="prod"}' in found) is whole


def test_messages_hidden_in_sqs_and_forgotten_entries_are_exported(wire, ledger):
    ledger.left.note([LeftMessage("m", "r", 1, "acme-logs/1")], {"m": 100})
    ledger.sums.count({"quarantine:messages-forgotten": 2})
    samples = Samples()
    samples.take()

    found = scraped(samples)

    assert found['trailcourier_messages_left{source="prod"}'] == "1.0"
    assert found['trailcourier_quarantine_forgotten{kind="objects",source="prod"}'] == "0.0"
    assert found['trailcourier_quarantine_forgotten{kind="messages",source="prod"}'] == "2.0"


def test_an_object_worker_exports_that_no_control_worker_is_left(wire, ledger):
    pulse(ledger, OBJECTS)
    move(ledger, "tick")
    samples = Samples(whole=False)
    samples.take()

    found = scraped(samples)

    assert found[standstill("no-control-worker")] == "1.0"
    assert found[standstill("no-tick")] == "0.0"
    assert found['trailcourier_processes{role="control"}'] == "0.0"
    assert 'trailcourier_step_seconds{source="prod",step="poll"}' not in found


def test_an_old_sample_is_no_longer_exported(wire, ledger, monkeypatch):
    samples = Samples()
    samples.take()
    assert scraped(samples)[standstill("no-control-worker")] == "1.0"

    later = time.monotonic() + MAX_AGE + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)

    found = scraped(samples)
    assert [each for each in found if "standstill" in each or "processes" in each] == []
    assert 'trailcourier_objects_parked{source="prod"}' in found
