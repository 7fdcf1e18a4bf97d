"""A fleet on one host as others see it: well as long as each of its processes beats."""

import os
import threading
from pathlib import Path

import pytest
import urllib3

from tests import servers
from tests.fleet import until
from trailcourier import heartbeat, wiring
from trailcourier.fleet import Member, members
from trailcourier.secret import Secret
from trailcourier.settings import Settings
from trailcourier.watch import watch

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
FLOWER = Member("flower", "flower", ("flower",))


@pytest.fixture
def found(client, tmp_path):
    """What is configured, on the broker of *client*."""
    where = client.connection_pool.connection_kwargs
    url = f"redis://:{where['password']}@{where['host']}:{where['port']}/0"
    settings = Settings.model_validate(
        {
            "workers": {
                "metrics_port": servers.free_port(),
                "heartbeat_file": tmp_path / "ours",
            },
            "sources": {"prod": {"queue_url": QUEUE, "sinks": ["archive"]}},
            "sinks": {"archive": {"type": "file", "path": tmp_path / "events"}},
        }
    )
    broker = settings.broker.model_copy(update={"url": Secret("env:URL", {"URL": url})})
    settings = settings.model_copy(update={"broker": broker})
    wiring.configure(settings)
    yield settings
    wiring.forget()


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
    os.utime(watched[name], (0, 0))

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


def test_it_beats_for_all_only_while_all_of_them_do(found, stopping, ask):
    ours = found.workers.heartbeat_file
    with watch(found) as watching:
        (told,) = watching.over(members(processes=1)[:1])
        its = Path(told.environment["TRAILCOURIER_WORKERS__HEARTBEAT_FILE"])
        os.utime(its, (0, 0))
        with watching.serving(stopping):
            until(lambda: "trailcourier_sampled_timestamp_seconds{" in ask("metrics")[1])
            assert not ours.exists()

        heartbeat.touch(its)
        with watching.serving(stopping):
            until(ours.exists)
