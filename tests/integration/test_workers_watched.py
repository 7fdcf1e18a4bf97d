"""What a real worker shows to who watches it, and what it shows while its broker is away."""

import signal

import pytest
import urllib3

from tests.support.fleet import outdate, until
from tests.support.servers import free_port
from trailcourier.host import child_process
from trailcourier.observability import heartbeat


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def ask(port):
    with urllib3.PoolManager(retries=False, timeout=10) as http:

        def ask(path):
            answer = http.request("GET", f"http://127.0.0.1:{port}{path}")
            return answer.status, answer.data.decode()

        yield ask


def beat(fleet):
    return fleet.folder / "heartbeat"


def watched(fleet, port, *options):
    return fleet.worker(*options, TRAILCOURIER_WORKERS__METRICS_PORT=str(port))


def parked(ask):
    """The sources whose parked objects are told."""
    return ask("/metrics")[1].count("trailcourier_objects_parked{")


def test_who_polls_tells_its_health_its_metrics_and_how_every_source_stands(fleet, ask, port):
    worker = watched(fleet, port, "-Q", "control")

    until(lambda: ask("/readyz") == (200, "well\n"), what=lambda: worker.output)
    assert ask("/livez") == (200, "well\n")
    until(lambda: parked(ask) == 2, what=lambda: ask("/metrics")[1])
    assert "process_resident_memory_bytes" in ask("/metrics")[1]


def test_who_carries_leaves_that_to_who_polls(fleet, ask, port):
    worker = watched(fleet, port, "-Q", "objects")

    until(lambda: ask("/readyz") == (200, "well\n"), what=lambda: worker.output)
    assert "process_resident_memory_bytes" in ask("/metrics")[1]
    assert parked(ask) == 0


def test_a_worker_that_stops_says_so_to_who_would_send_it_work(fleet, ask, port):
    worker = fleet.worker(
        "-Q",
        "objects",
        "-I",
        "tests.integration.trial",
        TRAILCOURIER_WORKERS__METRICS_PORT=str(port),
    )
    fleet.app.send_task("trial.hold", (str(fleet.folder), 3), queue="objects")
    until((fleet.folder / "holds").exists, what=lambda: worker.output)

    child_process.send(worker.process, signal.SIGTERM)

    until(lambda: ask("/readyz") == (503, "stopping\n"), what=lambda: worker.output)
    assert ask("/livez")[0] == 200
    assert worker.wait() == 0


def test_a_worker_whose_broker_is_away_is_well_but_not_ready(own_fleet, own_broker, ask, port):
    worker = watched(own_fleet, port, "-Q", "control")
    until(lambda: ask("/readyz")[0] == 200 and parked(ask), what=lambda: worker.output)
    child_process.kill(own_broker.process)

    away = (503, "not connected to the broker\n")
    until(lambda: ask("/readyz") == away, what=lambda: worker.output)
    assert ask("/livez") == (200, "well\n")
    assert parked(ask) == 2  # as it was before

    own_broker.start()
    until(lambda: ask("/readyz")[0] == 200, seconds=60, what=lambda: worker.output)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["-A", "tasks", "worker", "-Q", "control"], id="control"),
        pytest.param(["-A", "tasks", "worker", "-Q", "objects"], id="objects"),
        pytest.param(["-A", "beat", "beat"], id="beat"),
    ],
)
def test_a_process_touches_its_heartbeat_file_again_and_again(fleet, argv):
    process = fleet.celery(*argv)
    until(lambda: heartbeat.trouble(beat(fleet)) == "", what=lambda: process.output)

    outdate(beat(fleet))

    until(lambda: heartbeat.trouble(beat(fleet)) == "", what=lambda: process.output)


def test_a_worker_whose_port_is_taken_says_so_and_works(fleet, port):
    first = watched(fleet, port, "-Q", "objects")

    second = watched(fleet, port, "-Q", "objects", "-n", "two@%h")

    assert "not_watchable" not in first.output
    assert "not_watchable" in second.output
    assert f"127.0.0.1:{port}" in second.output
