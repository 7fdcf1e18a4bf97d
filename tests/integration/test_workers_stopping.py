"""How a worker stops, and how the fleet hears of it."""

import signal
import time

import pytest

from tests.support.fleet import until
from trailcourier.host import child_process
from trailcourier.ledger import broker

HEARD = "trailcourier:1:workers"
TRIAL = ["-I", "tests.integration.trial"]


@pytest.fixture
def client(shared_broker, fleet):
    with broker.connect(shared_broker.url) as connected:
        yield connected


def run(fleet, task, *args):
    """Have the worker begin *task*."""
    fleet.app.send_task(f"trial.{task}", (str(fleet.folder), *args), queue="objects")
    until((fleet.folder / "holds").exists)


def test_an_idle_worker_stops_cleanly(fleet):
    worker = fleet.worker("-Q", "control")

    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait() == 0
    assert worker.stdout == ""  # where a stdout sink writes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_running_forward_is_asked_to_end(fleet, client, number):
    worker = fleet.worker("-Q", "objects", *TRIAL)
    run(fleet, "stoppable")

    child_process.send(worker.process, number)

    assert worker.wait() == 0
    assert (fleet.folder / "stopped").read_text() == "True"
    assert client.hlen("trailcourier:1:celery:unacked") == 0


def test_what_was_reserved_and_not_begun_goes_back_to_the_queue(fleet, client):
    worker = fleet.worker("-Q", "objects", "-c", "1", *TRIAL)
    run(fleet, "stoppable")
    for _ in range(3):
        fleet.app.send_task("trial.stoppable", (str(fleet.folder),), queue="objects")

    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait() == 0
    assert client.llen("trailcourier:1:celery:objects") == 3


def test_a_second_sigterm_ends_it_at_once(fleet):
    worker = fleet.worker("-Q", "objects", *TRIAL)
    run(fleet, "hold", 60)
    child_process.send(worker.process, signal.SIGTERM)
    worker.until("Warm shutdown")
    before = time.monotonic()

    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait() == -signal.SIGTERM
    assert time.monotonic() - before < 20  # of the minute that the task has


def test_a_second_sigterm_while_the_first_is_being_handled_ends_it(fleet):
    worker = fleet.worker("-Q", "objects", "-I", "tests.integration.trial_signals")

    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait() == -signal.SIGTERM


def test_an_object_worker_is_heard_of_until_it_stops(fleet, client):
    worker = fleet.worker("-Q", "objects")

    until(lambda: client.hlen(HEARD), what=lambda: worker.output)
    ((name, heard),) = client.hgetall(HEARD).items()
    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait() == 0
    assert name.startswith(b"objects@")
    assert name.endswith(f"/{worker.process.pid}".encode())
    assert heard.split(b"|")[1] == b"3"
    assert client.hgetall(HEARD) == {}


@pytest.mark.parametrize("heard_first", [True, False], ids=["heard of", "at once"])
def test_a_control_worker_forwards_nothing_and_is_not_heard_of_after_it(fleet, client, heard_first):
    worker = fleet.worker("-Q", "control")
    if heard_first:
        until(lambda: client.hlen(HEARD), what=lambda: worker.output)
        ((_, heard),) = client.hgetall(HEARD).items()
        assert heard.split(b"|")[1] == b"0"

    child_process.send(worker.process, signal.SIGTERM)

    assert worker.wait() == 0
    assert client.hgetall(HEARD) == {}


def test_beat_is_not_heard_of_after_it_stops(fleet, client):
    beat = fleet.celery("-A", "beat", "beat")
    until(lambda: client.hlen(HEARD), what=lambda: beat.output)

    child_process.send(beat.process, signal.SIGTERM)

    assert beat.wait() == 0
    assert client.hgetall(HEARD) == {}


GONE = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}


WORKER = ["-A", "tasks", "worker", "-Q"]
PROGRAMS = {
    "beat": (["-A", "beat", "beat"], ""),
    "control": ([*WORKER, "control"], ""),
    "control at work": ([*WORKER, "control", *TRIAL], "control"),
    "objects": ([*WORKER, "objects"], ""),
    "objects at work": ([*WORKER, "objects", *TRIAL], "objects"),
}


@pytest.mark.parametrize("how", GONE)
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(0.5, id="at once"),
        pytest.param(7, id="a while later", marks=pytest.mark.slow),
    ],
)
def test_it_stops_within_ten_seconds_when_its_broker_is_gone(
    own_fleet, own_broker, program, how, after
):
    worker, at_work = PROGRAMS[program]
    process = own_fleet.celery(*worker, "-l", "INFO", AWS_EC2_METADATA_DISABLED="true")
    process.until("beat: Starting" if "beat" in worker else " ready.", seconds=60)
    if at_work:
        own_fleet.app.send_task("trial.hold", (str(own_fleet.folder), 60), queue=at_work)
        until((own_fleet.folder / "holds").exists, what=lambda: process.output)

    child_process.send(own_broker.process, GONE[how])
    time.sleep(after)  # however far it has come in noticing
    child_process.send(process.process, signal.SIGTERM)

    assert process.wait(10) == 0
    assert "Traceback" not in process.output


def test_a_worker_whose_broker_comes_back_hands_back_what_it_has(own_fleet, own_broker):
    worker = own_fleet.worker("-Q", "objects", *TRIAL)
    run(own_fleet, "stoppable_in", 5)
    child_process.send(own_broker.process, signal.SIGSTOP)
    child_process.send(worker.process, signal.SIGTERM)
    time.sleep(2)  # less than it is patient

    child_process.send(own_broker.process, signal.SIGCONT)

    assert worker.wait() == 0
    assert "stopped_without_broker" not in worker.output
    with broker.connect(own_broker.url) as client:
        assert client.hlen("trailcourier:1:celery:unacked") == 0
