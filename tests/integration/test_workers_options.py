"""What a bare ``celery -A tasks worker`` is, and what it says when it cannot be."""

import json
import os
import signal
import socket

import pytest

from tests.support.fleet import until
from trailcourier.host import child_process
from trailcourier.ledger import broker
from trailcourier.worker.pace import SIZE

NODE = socket.gethostname()


def stats(fleet):
    """What the one worker of *fleet* says of itself, once it listens: it is ready before that."""
    until(lambda: patterns(fleet))
    ((name, answer),) = fleet.app.control.inspect(timeout=5, limit=1).stats().items()
    return name, answer["pool"], answer["prefetch_count"]


@pytest.mark.parametrize(
    ("options", "name", "threads"),
    [
        pytest.param(["-Q", "objects"], f"objects@{NODE}", 3, id="objects: as configured"),
        pytest.param(["-Q", "control"], f"control@{NODE}", 7, id="control: three pollers and four"),
        pytest.param([], f"worker@{NODE}", 10, id="both"),
        pytest.param(["-X", "control"], f"objects@{NODE}", 3, id="all but control"),
        pytest.param(
            ["-Q", "objects", "-c", "2", "-n", "mine@here", "-P", "prefork"],
            "mine@here",
            2,
            id="flags win, except that the pool stays",
        ),
    ],
)
def test_a_bare_worker_is_what_its_queues_need(fleet, options, name, threads):
    fleet.worker(*options)

    its_name, pool, prefetched = stats(fleet)

    assert its_name == name
    assert pool["implementation"] == "celery.concurrency.thread:TaskPool"
    assert pool["max-concurrency"] == threads
    forwards = "-Q" not in options or "objects" in options
    assert prefetched == threads * (SIZE if forwards else 1)


@pytest.mark.parametrize(
    ("queue", "times"),
    [pytest.param("objects", 2, id="objects: each source"), pytest.param("control", 0, id="other")],
)
def test_who_filters_says_at_its_start_what_will_be_dropped(fleet, queue, times):
    worker = fleet.worker("-Q", queue)

    assert worker.output.count("drops aws-service-reads") == times


def test_a_worker_neither_gossips_nor_mingles(fleet):
    worker = fleet.worker("-Q", "objects")

    assert "mingle" not in worker.output
    assert stats(fleet)  # it has subscribed to all that it will
    assert patterns(fleet) == 1  # remote control only


def patterns(fleet):
    with fleet.app.connection() as connection:
        return connection.default_channel.client.pubsub_numpat()


def test_a_queue_that_does_not_exist_is_a_usage_error(fleet):
    worker = fleet.celery("-A", "tasks", "worker", "-Q", "object")

    assert worker.wait() == os.EX_USAGE
    assert worker.output.splitlines()[-1] == (
        "trailcourier: there is no queue 'object'; there are control and objects"
    )
    assert "Traceback" not in worker.output


@pytest.mark.parametrize("command", ["-A tasks worker", "-A tasks flower", "-A beat beat"])
def test_without_a_broker_nothing_starts(fleet, command):
    fleet.config.write_text(fleet.config.read_text().replace('url = "env:FLEET_BROKER"', ""))

    started = fleet.celery(*command.split())

    assert started.wait() == os.EX_CONFIG
    assert "broker.url: not set" in started.output
    assert "Traceback" not in started.output


def test_every_problem_of_a_configuration_has_a_line(fleet):
    wrong = fleet.config.read_text().replace("archive", "archiv", 1) + "[broke]\n"
    fleet.config.write_text(wrong)

    started = fleet.celery("-A", "tasks", "worker")

    assert started.wait() == os.EX_CONFIG
    assert len([x for x in started.output.splitlines() if x.startswith("trailcourier: ")]) == 2
    assert "Traceback" not in started.output


def test_a_worker_waits_for_a_broker_that_does_not_answer(fleet):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://:nobodyknows@127.0.0.1:{taken.getsockname()[1]}/0"
        worker = fleet.celery("-A", "tasks", "worker", FLEET_BROKER=url)
        worker.until("Trying again in")

        child_process.send(worker.process, signal.SIGTERM)

        assert worker.wait() == 0
    assert "Cannot connect" in worker.output
    assert "Traceback" not in worker.output
    assert "nobodyknows" not in worker.output


def test_a_broker_that_may_drop_what_it_holds_is_refused(fleet, shared_broker):
    with broker.connect(shared_broker.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            worker = fleet.celery("-A", "tasks", "worker")

            assert worker.wait() == os.EX_CONFIG
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert "maxmemory-policy is allkeys-lru" in worker.output
    assert "Traceback" not in worker.output


def test_celery_writes_its_log_lines_as_ours_are_written(fleet):
    worker = fleet.worker("-Q", "control")

    (ready,) = [json.loads(line) for line in worker.output.splitlines() if " ready." in line]

    assert ready["event"] == f"control@{NODE} ready."
    assert ready["level"] == "info"
    assert ready["logger"] == "celery.apps.worker"
    assert ready["timestamp"].endswith("Z")


def test_no_traceback_shows_when_the_broker_goes_beneath_an_idle_worker(own_fleet, own_broker):
    worker = own_fleet.worker("-Q", "control")

    child_process.kill(own_broker.process)
    worker.until("Cannot connect to")
    own_broker.start()
    own_fleet.app.send_task("trailcourier.settle", (None, "nowhere", []), queue="control")

    worker.until("task_failed")
    assert "no source 'nowhere'" in worker.output
    assert "Traceback" not in worker.output
