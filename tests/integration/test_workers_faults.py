"""What a fleet comes through; each fault is shown without our repair too."""

import pytest
from celery import chord

from tests.support.fleet import until
from trailcourier.host import child_process

TRIAL = ["-I", "tests.integration.trial"]
STOCK = ["-I", "tests.integration.trial,tests.integration.trial_stock"]


@pytest.fixture
def hold(own_fleet):
    """A function that starts one forward, waits until it runs, and answers how to end it."""

    def hold():
        app, folder = own_fleet.app, str(own_fleet.folder)
        header = app.signature("trial.held", (folder,), queue="objects")
        chord([header], app=app)(app.signature("trial.done", (folder,), queue="objects"))
        until((own_fleet.folder / "holds").exists)
        return (own_fleet.folder / "release").touch

    return hold


def blip(worker, own_broker, release):
    """Kill the broker, end the task when the worker has noticed, and start the broker again."""
    child_process.kill(own_broker.process)
    worker.until("Cannot connect to")
    release()
    worker.until("Connection to Redis lost: Retry")
    own_broker.start()


def test_without_our_transport_a_worker_exits_when_the_broker_dies_beneath_a_task(
    own_fleet, own_broker, hold
):
    worker = own_fleet.worker("-Q", "objects", *STOCK)
    release = hold()

    child_process.kill(own_broker.process)
    release()
    worker.until("Unrecoverable error: AttributeError")
    own_broker.start()

    assert worker.wait() != 0


def test_a_worker_survives_the_broker_and_its_chord_completes(own_fleet, own_broker, hold):
    worker = own_fleet.worker("-Q", "objects", *TRIAL)
    release = hold()

    blip(worker, own_broker, release)

    worker.until("Couldn't ack", seconds=60)
    until((own_fleet.folder / "done").exists, seconds=60)
    assert (own_fleet.folder / "done").read_text() == "delivered"
    assert not worker.ended
