"""A worker, the clock and Flower beside a broker that answers and cannot serve."""

import pytest
from celery import chord

from tests.support import servers
from tests.support.fleet import Fleet, until
from tests.support.flower import Flower
from tests.support.impaired import STATES
from trailcourier.ledger import broker
from trailcourier.ledger.redis_faults import CAUSES

CONTROL = "trailcourier:1:celery:control"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with servers.valkey(tmp_path_factory.mktemp("broker"), persist=True) as started:
        yield started


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, running):
    """One fleet that goes through all of it."""
    started = Fleet(tmp_path_factory.mktemp("fleet"), running.url)
    try:
        started.worker("-Q", "objects", "-I", "tests.integration.trial")
        started.celery("-A", "beat", "-q", "beat", "--pidfile=")
        started.page = Flower(started)
        yield started
    finally:
        started.close()


def carry(fleet, folder, task):
    app, where = fleet.app, str(folder)
    header = app.signature(task, (where,) if task == "trial.held" else (where, 0), queue="objects")
    chord([header], app=app)(app.signature("trial.done", (where,), queue="objects"))


def ticks(client):
    """Whether the clock sends ticks, which nobody takes here."""
    client.delete(CONTROL)
    until(lambda: client.llen(CONTROL))


@pytest.mark.parametrize("answer", STATES)
def test_a_fleet_outlives_a_broker_that_cannot_serve(tmp_path, fleet, running, answer):
    worker, clock, page = fleet.started
    carry(fleet, tmp_path, "trial.held")
    until((tmp_path / "holds").exists, what=lambda: worker.output)
    before = len(worker.output)

    with STATES[answer](running):
        (tmp_path / "release").touch()  # so that it is counted and acknowledged now
        until(lambda: logged_text(answer) in worker.output[before:] or worker.ended)

    until((tmp_path / "done").exists, what=lambda: worker.output)
    (tmp_path / "done").unlink()
    carry(fleet, tmp_path, "trial.hold")
    until((tmp_path / "done").exists, what=lambda: worker.output)
    with broker.connect(running.url) as client:
        ticks(client)
    until(lambda: fleet.page.api("workers?refresh=1"), what=lambda: page.output)
    assert [each.ended for each in (worker, clock, page)] == [False] * 3
    assert "Traceback" not in clock.output


def logged_text(answer):
    """What a worker's log says of it."""
    alone = {"WRONGPASS": "invalid username-password", "WRONGTYPE": "WRONGTYPE Operation"}
    if answer in alone:
        return alone[answer]  # the broker's words without ours
    return CAUSES[answer.partition(" ")[0]].text
