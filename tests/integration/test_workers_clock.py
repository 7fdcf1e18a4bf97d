"""The clock, as its own process and inside a worker."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter

import pytest

from tests.support.fleet import until
from tests.support.servers import free_port
from trailcourier.host import child_process
from trailcourier.ledger import broker

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

    until(lambda: len(called(client)) == 5, what=lambda: clock.output)
    child_process.send(clock.process, signal.SIGTERM)

    assert clock.wait() == 0
    assert called(client) == {
        ("trailcourier.poll", "prod, poller 1"),
        ("trailcourier.poll", "prod, poller 2"),
        ("trailcourier.poll", "dev"),
        ("trailcourier.maintenance", "prod"),
        ("trailcourier.maintenance", "dev"),
    }
    assert set(fleet.folder.iterdir()) - before == {*clock.files, fleet.folder / "heartbeat"}


def test_a_tick_carries_the_time_of_the_broker_and_nothing_that_another_clock_would_judge(
    fleet, client
):
    client.set("trailcourier:1:offset", 7_200_000)
    fleet.celery("-A", "beat", "beat")
    until(lambda: ticks(client))

    now, (tick, *_) = time.time() + 7_200, ticks(client)

    assert tick["expires"] is None
    assert tick["made"] / 1000 == pytest.approx(now, abs=60)


def waiting(client):
    """How many ticks of each kind wait."""
    return set(Counter((tick["task"], tick["argsrepr"]) for tick in ticks(client)).values())


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_of_a_clock_alone_two_ticks_of_a_kind_wait(fleet, client, seconds):
    clock = fleet.celery("-A", "beat", "beat")
    until(lambda: waiting(client) == {2}, what=lambda: clock.output)
    second = fleet.celery("-A", "beat", "beat")

    until(lambda: "tick_held_back" in second.output, what=lambda: second.output)
    time.sleep(seconds)  # no condition: that nothing happens is what is looked at

    assert waiting(client) == {2}
    assert len(called(client)) == 5
    assert [clock.ended, second.ended] == [False, False]


DAY = [pytest.mark.slow, pytest.mark.timeout(1260)]


@pytest.mark.parametrize("hours", [0.25, pytest.param(24, marks=DAY)])
def test_of_a_day_without_control_workers_two_ticks_of_a_kind_are_left(fleet, client, hours):
    argv = [sys.executable, "-m", "tests.integration.trial_day", str(hours * 3600)]
    day = subprocess.run(
        argv, env=fleet.environment, capture_output=True, text=True, check=True, timeout=1200
    )

    assert int(day.stdout) == pytest.approx(4 * hours * 3600, rel=0.02)  # as many were due
    assert waiting(client) == {2}
    assert client.llen(QUEUE) == 10
    # of keys alone: used_memory_dataset may be a megabyte where there is no key at all
    assert sum(client.memory_usage(key, samples=0) for key in client.scan_iter()) < 64_000


def stale(client, tick, number):
    """Put so many ticks of a minute ago where they wait."""
    (old,) = {raw for raw in client.lrange(QUEUE, 0, -1) if json.loads(raw) == tick}
    made = f'"made": {tick["headers"]["made"]}'.encode()
    ids = tick["headers"]["id"], tick["properties"]["delivery_tag"]
    old = old.replace(made, f'"made": {tick["headers"]["made"] - 60_000}'.encode())
    client.delete(QUEUE)
    for _ in range(number):
        message = old
        for each in ids:
            message = message.replace(each.encode(), str(uuid.uuid4()).encode())
        client.lpush(QUEUE, message)


def test_ticks_that_waited_too_long_are_dropped_at_once_and_counted(fleet, client):
    clock = fleet.celery("-A", "beat", "beat")
    until(lambda: ("trailcourier.maintenance", "dev") in called(client), what=lambda: clock.output)
    child_process.send(clock.process, signal.SIGTERM)
    clock.wait()
    messages = map(json.loads, client.lrange(QUEUE, 0, -1))
    (maintenance, *_) = (
        each for each in messages if each["headers"]["task"] == "trailcourier.maintenance"
    )
    stale(client, maintenance, 150)
    port = free_port()

    worker = fleet.worker("-Q", "control", TRAILCOURIER_WORKERS__METRICS_PORT=str(port))
    until(lambda: not client.llen(QUEUE), seconds=5, what=lambda: worker.output)

    page = f"http://127.0.0.1:{port}/metrics"
    until(lambda: dropped(page) == 150, what=lambda: worker.output)
    assert worker.output.count("tick_dropped") == 10  # a minute
    assert "succeeded" not in worker.output


def dropped(page):
    with urllib.request.urlopen(page, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("trailcourier_ticks_dropped_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_one_process_can_be_clock_and_worker(fleet):
    worker = fleet.celery("-A", "beat", "worker", "-B", "-Q", "control", "-l", "INFO")

    worker.until("Task trailcourier.maintenance")
    worker.until("Task trailcourier.poll")
    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait(60) == 0


def test_the_clock_survives_its_broker_and_says_so_in_one_line(own_fleet, own_broker):
    with broker.connect(own_broker.url) as client:
        clock = own_fleet.celery("-A", "beat", "beat")
        until(lambda: ticks(client), what=lambda: clock.output)

        child_process.kill(own_broker.process)
        clock.until("tick_not_sent")
        own_broker.start()
        client.delete(QUEUE)

        until(lambda: ticks(client), what=lambda: clock.output)
    assert not clock.ended
    assert "Traceback" not in clock.output
    assert "File " not in clock.output
