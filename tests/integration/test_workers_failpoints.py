"""The places in Celery's own machinery at which a worker can be made to die."""

import json
import signal

import pytest
from celery import chord

from tests.support.fleet import until
from trailcourier.ledger import broker

KEYS = "trailcourier:1:celery:"


@pytest.fixture
def client(shared_broker, fleet):
    with broker.connect(shared_broker.url) as connected:
        yield connected


@pytest.fixture
def die_at(fleet, client):
    """A function that has a worker take a chord of one and die at a fail point."""

    def send():
        app, folder = fleet.app, str(fleet.folder)
        header = app.signature("trial.hold", (folder, 0), queue="objects")
        chord([header], app=app)(app.signature("trial.done", (folder,), queue="control"))

    def die_at(point):
        armed = {"TRAILCOURIER_FAIL_POINT": f"{point}@{fleet.folder}/died"}
        if point == "after-take":  # of what waits already
            send()
        worker = fleet.worker("-Q", "objects", "-I", "tests.integration.trial", **armed)
        if point != "after-take":  # what it waits for
            until(lambda: client.info("clients")["blocked_clients"])
            send()
        return worker.wait()

    return die_at


def tasks(client, key):
    """The names of the tasks in the queue, or held by a worker."""
    if key == "unacked":
        raw = [json.loads(entry)[0] for entry in client.hvals(KEYS + key)]
    else:
        raw = [json.loads(entry) for entry in client.lrange(KEYS + key, 0, -1)]
    return [message["headers"]["task"] for message in raw]


@pytest.mark.parametrize(
    ("point", "left"),
    [
        pytest.param("after-brpop", ([], [], 0), id="taken and nowhere"),
        pytest.param("after-take", ([], ["trial.hold"], 0), id="taken and noted"),
        pytest.param("at-chord-claim", ([], ["trial.hold"], 1), id="claimed, its body not sent"),
        pytest.param(
            "after-chord-publish",
            (["trial.done"], ["trial.hold"], 1),
            id="its body sent, still claimed",
        ),
    ],
)
def test_a_worker_dies_at_the_point_that_was_set(die_at, client, point, left):
    status = die_at(point)

    assert status == -signal.SIGKILL
    assert tasks(client, "objects") == []
    chords = [client.get(key) for key in client.scan_iter(KEYS + "celery-taskset-meta-*.c")]
    claims = len([claim for claim in chords if claim != b"done"])
    assert (tasks(client, "control"), tasks(client, "unacked"), claims) == left
