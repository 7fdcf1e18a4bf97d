"""A fleet on one host as others see it: well as long as each of its processes beats."""

import threading
from pathlib import Path

import pytest
import urllib3

from tests import servers
from tests.fleet import outdate, until
from tests.unit.fleets import wired
from trailcourier import heartbeat
from trailcourier.fleet import Member, members
from trailcourier.watch import watch

FLOWER = Member("flower", "flower", ("flower",))


@pytest.fixture
def found(client, tmp_path):
    """What is configured, on the broker of *client*."""
    more = {"metrics_port": servers.free_port(), "heartbeat_file": tmp_path / "ours"}
    with wired(client, **more) as settings:
        yield settings


@pytest.fixture
def stopping():
    return threading.Event()


@pytest.fixture
def watched(found, stopping):
    """The watch over a fleet, and its processes' heartbeat files."""
    with watch(found) as watching:
        told = watching.over([*members(processes=2), FLOWER])
        with watching.serving(stopping):
            yield {
                each.name: each.environment.get("TRAILCOURIER_WORKERS__HEARTBEAT_FILE", "")
                for each in told
            }


@pytest.fixture
def ask(found):
    with urllib3.PoolManager(retries=False, timeout=10) as http:

        def ask(path):
            url = f"http://127.0.0.1:{found.workers.metrics_port}/{path}"
            answer = http.request("GET", url)
            return answer.status, answer.data.decode()

        yield ask


def test_a_fleet_whose_processes_beat_is_well(watched, ask):
    assert (ask("livez"), ask("readyz")) == ((200, "well\n"), (200, "well\n"))


@pytest.mark.parametrize("name", ["objects-2", "control", "beat"])
def test_a_process_that_does_not_beat_is_trouble_of_the_whole_and_named(watched, ask, name):
    outdate(Path(watched[name]))

    for path in ("livez", "readyz"):
        status, said = ask(path)
        assert status == 503
        assert said.startswith(f"{name}: the last heartbeat at {watched[name]} was ")
        assert said.count(" s ago") == 1


def test_a_process_without_a_heartbeat_is_asked_for_none(watched):
    assert watched["flower"] == ""


def test_a_fleet_that_stops_is_well_and_not_ready(watched, ask, stopping):
    stopping.set()

    assert (ask("livez"), ask("readyz")) == ((200, "well\n"), (503, "stopping\n"))


def test_a_process_without_its_broker_is_not_ready_and_need_not_be_restarted(watched, ask):
    heartbeat.touch(Path(watched["beat"]), away="the broker has not answered for 61 s")

    assert ask("livez") == (200, "well\n")
    assert ask("readyz") == (503, "beat: the broker has not answered for 61 s\n")


def test_it_beats_for_all_only_while_all_of_them_do(found, stopping, ask):
    ours = found.workers.heartbeat_file
    with watch(found) as watching:
        (told,) = watching.over(members(processes=1)[:1])
        its = Path(told.environment["TRAILCOURIER_WORKERS__HEARTBEAT_FILE"])
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


def test_a_folder_that_is_not_ours_keeps_no_sample_from_being_taken(found, stopping, ask, tmp_path):
    (tmp_path / "ours").mkdir()

    with watch(found) as watching, watching.serving(stopping):
        until(lambda: "trailcourier_sampled_timestamp_seconds{" in ask("metrics")[1])
        assert ask("readyz") == (200, "well\n")
