"""The clock, as its own process and inside a worker."""

import datetime as dt
import json
import signal

import pytest

from tests.fleet import until
from trailcourier import broker, child

QUEUE = "trailcourier:1:celery:control"


@pytest.fixture
def client(shared_broker, fleet):
    with broker.connect(shared_broker.url) as connected:
        yield connected


def ticks(client):
    return [json.loads(raw)["headers"] for raw in client.lrange(QUEUE, 0, -1)]


def called(client):
    return {(tick["task"], tick["argsrepr"]) for tick in ticks(client)}


def test_the_clock_calls_for_every_poll_and_tend_and_keeps_no_schedule_file(fleet, client):
    before = set(fleet.folder.iterdir())
    clock = fleet.celery("-A", "beat", "--workdir", str(fleet.folder), "beat")

    until(lambda: len(called(client)) == 5, what=lambda: clock.said)
    child.send(clock.process, signal.SIGTERM)

    assert clock.wait() == 0
    assert called(client) == {
        ("trailcourier.poll", "prod, poller 1"),
        ("trailcourier.poll", "prod, poller 2"),
        ("trailcourier.poll", "dev"),
        ("trailcourier.tend", "prod"),
        ("trailcourier.tend", "dev"),
    }
    assert set(fleet.folder.iterdir()) - before == {*clock.files, fleet.folder / "heartbeat"}


def test_a_clock_ends_when_told_to_in_the_middle_of_a_tick(fleet):
    clock = fleet.celery("-A", "tests.integration.trial_clock", "beat")

    assert clock.wait() == 0
    assert "I/O operation on closed file" in clock.said


def test_a_tick_ends_after_ten_seconds(fleet, client):
    fleet.celery("-A", "beat", "beat")
    until(lambda: ticks(client))

    left = dt.datetime.fromisoformat(ticks(client)[-1]["expires"]) - dt.datetime.now(dt.UTC)

    assert dt.timedelta(seconds=5) < left <= dt.timedelta(seconds=10)


def test_one_process_can_be_clock_and_worker(fleet):
    worker = fleet.celery("-A", "beat", "worker", "-B", "-Q", "control", "-l", "INFO")

    worker.until("Task trailcourier.tend")
    worker.until("Task trailcourier.poll")
    child.send(worker.process, signal.SIGTERM)

    assert worker.wait(60) == 0


def test_the_clock_survives_its_broker_and_says_so_in_one_line(own_fleet, own_broker):
    with broker.connect(own_broker.url) as client:
        clock = own_fleet.celery("-A", "beat", "beat")
        until(lambda: ticks(client), what=lambda: clock.said)

        child.kill(own_broker.process)
        clock.until("tick_not_sent")
        own_broker.start()
        client.delete(QUEUE)

        until(lambda: ticks(client), what=lambda: clock.said)
    assert not clock.ended
    assert "Traceback" not in clock.said
    assert "File " not in clock.said
