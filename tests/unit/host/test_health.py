"""The health of a fleet on one host: healthy while each of its processes has a heartbeat."""

import threading
from pathlib import Path

import pytest
import urllib3

from tests.support import servers
from tests.support.fleet import outdate, until
from tests.support.unit_fleets import wired
from trailcourier.host.health import watch
from trailcourier.host.specs import ProcessSpec, process_specs
from trailcourier.observability import heartbeat

FLOWER = ProcessSpec("flower", "flower", ("flower",))


@pytest.fixture
def found(client, tmp_path):
    """The configuration, with the broker of *client*."""
    more = {"metrics_port": servers.free_port(), "heartbeat_file": tmp_path / "ours"}
    with wired(client, **more) as settings:
        yield settings


@pytest.fixture
def stopping():
    return threading.Event()


@pytest.fixture
def watched(found, stopping):
    """The health of a fleet, and its processes' heartbeat files."""
    with watch(found) as watching:
        specs = watching.watched([*process_specs(processes=2), FLOWER])
        with watching.serving(stopping):
            yield {
                each.name: each.environment.get("TRAILCOURIER_WORKERS__HEARTBEAT_FILE", "")
                for each in specs
            }


@pytest.fixture
def ask(found):
    with urllib3.PoolManager(retries=False, timeout=10) as http:

        def ask(path):
            url = f"http://127.0.0.1:{found.workers.metrics_port}/{path}"
            answer = http.request("GET", url)
            return answer.status, answer.data.decode()

        yield ask


def test_a_fleet_whose_processes_have_heartbeats_is_healthy(watched, ask):
    assert (ask("livez"), ask("readyz")) == ((200, "well\n"), (200, "well\n"))


@pytest.mark.parametrize("name", ["objects-2", "control", "beat"])
def test_a_process_without_a_fresh_heartbeat_makes_the_fleet_unhealthy_and_is_named(
    watched, ask, name
):
    outdate(Path(watched[name]))

    for path in ("livez", "readyz"):
        status, text = ask(path)
        assert status == 503
        assert text.startswith(f"{name}: the last heartbeat at {watched[name]} was ")
        assert text.count(" s ago") == 1


def test_a_role_without_a_heartbeat_file_is_not_checked(watched):
    assert watched["flower"] == ""


def test_a_stopping_fleet_is_live_and_not_ready(watched, ask, stopping):
    stopping.set()

    assert (ask("livez"), ask("readyz")) == ((200, "well\n"), (503, "stopping\n"))


def test_a_process_without_its_broker_is_not_ready_and_needs_no_restart(watched, ask):
    heartbeat.touch(Path(watched["beat"]), away="the broker has not answered for 61 s")

    assert ask("livez") == (200, "well\n")
    assert ask("readyz") == (503, "beat: the broker has not answered for 61 s\n")


def test_the_fleets_heartbeat_is_fresh_only_while_all_of_its_processes_are(found, stopping, ask):
    ours = found.workers.heartbeat_file
    with watch(found) as watching:
        (spec,) = watching.watched(process_specs(processes=1)[:1])
        its = Path(spec.environment["TRAILCOURIER_WORKERS__HEARTBEAT_FILE"])
        outdate(its)
        with watching.serving(stopping):
            until(lambda: "trailcourier_sampled_timestamp_seconds{" in ask("metrics")[1])
            assert heartbeat.restart(ours).startswith("objects-1: the last heartbeat at ")

        heartbeat.touch(its, away="no broker")
        with watching.serving(stopping):
            until(lambda: heartbeat.trouble(ours) == "objects-1: no broker")

        heartbeat.touch(its)
        with watching.serving(stopping):
            until(lambda: heartbeat.trouble(ours) == "")


def test_a_foreign_heartbeat_folder_does_not_keep_samples_from_being_taken(
    found, stopping, ask, tmp_path
):
    (tmp_path / "ours").mkdir()

    with watch(found) as watching, watching.serving(stopping):
        until(lambda: "trailcourier_sampled_timestamp_seconds{" in ask("metrics")[1])
        assert ask("readyz") == (200, "well\n")
