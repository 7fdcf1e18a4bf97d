"""A part of a real fleet that is gone or frozen: who is left says so, and a health check fails."""

import signal

import pytest
import urllib3

from tests.support.fleet import until
from tests.support.s3_stub import S3Stub
from tests.support.servers import free_port
from tests.support.sqs_stub import SqsStub
from trailcourier.host import child_process
from trailcourier.ledger import Ledger, broker
from trailcourier.models import Numbers
from trailcourier.observability import heartbeat
from trailcourier.operations.status import read_status

MINUTE = 60
SHOWN_WITHIN = 90  # seconds; a minute, and the half that a worker takes to look again


@pytest.fixture
def fleet(own_fleet):
    """A fleet that collects, from a queue in which nothing is."""
    with SqsStub() as sqs, S3Stub() as s3:
        own_fleet.collect(sqs, s3)
        yield own_fleet


@pytest.fixture
def problems(fleet, own_broker):
    """What does not move, by the ledger."""
    with broker.connect(own_broker.url) as client:
        ledger = Ledger(client, "prod", Numbers(receive_wait=1, poll=2))
        yield lambda: [each.kind for each in read_status(ledger).problems]


@pytest.fixture
def shown():
    """The standstills that an object worker's page shows; ``port`` is the page's."""
    port = free_port()

    def shown():
        page = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=10).data.decode()
        lines = (line for line in page.splitlines() if line.startswith("trailcourier_standstill{"))
        return [line.split('"')[1] for line in lines if line.endswith(" 1.0")]

    shown.port = port
    return shown


def started(fleet, shown):
    """A control worker, an object worker, and the clock, each with a heartbeat file of its own."""

    def own(name, **more):
        file = str(fleet.folder / f"{name}.heartbeat")
        return {"TRAILCOURIER_WORKERS__HEARTBEAT_FILE": file, **more}

    port, none = ({"TRAILCOURIER_WORKERS__METRICS_PORT": str(each)} for each in (shown.port, 0))
    return (
        fleet.worker("-Q", "control", "-n", "control@host", **own("control", **none)),
        fleet.worker("-Q", "objects", "-n", "objects@host", **own("objects", **port)),
        fleet.celery("-A", "beat", "-q", "beat", "--pidfile=", **own("beat", **none)),
    )


@pytest.fixture
def moving(fleet, problems, shown):
    """The processes of a fleet in which all is well, and everybody says so."""
    processes = started(fleet, shown)
    until(
        lambda: problems() == [] == shown(),
        seconds=SHOWN_WITHIN,
        what=lambda: f"{problems()} {shown()}",
    )
    return processes


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_clock_that_is_frozen_is_reported_and_fails_its_health_check(
    fleet, moving, problems, shown
):
    _, _, clock = moving

    child_process.send(clock.process, signal.SIGSTOP)

    until(lambda: problems() == ["no-tick"], seconds=MINUTE, what=lambda: str(problems()))
    until(lambda: shown() == ["no-tick"], seconds=SHOWN_WITHIN, what=lambda: str(shown()))
    frozen = fleet.folder / "beat.heartbeat"
    until(lambda: "the last heartbeat" in heartbeat.trouble(frozen), seconds=MINUTE)
    child_process.send(clock.process, signal.SIGCONT)
    until(lambda: problems() == [], what=lambda: str(problems()))
    until(lambda: heartbeat.trouble(frozen) == "")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_control_worker_that_is_gone_is_reported_by_object_workers(
    fleet, moving, problems, shown
):
    control, objects, _ = moving

    child_process.kill(control.process)

    until(lambda: problems() == ["no-control-worker"], seconds=MINUTE)
    until(lambda: shown() == ["no-control-worker"], seconds=SHOWN_WITHIN, what=lambda: str(shown()))
    assert heartbeat.trouble(fleet.folder / "objects.heartbeat") == ""
    assert not objects.ended


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_who_has_no_broker_for_a_minute_fails_its_health_check_and_heals(
    fleet, own_broker, problems, shown
):
    control, objects, clock = started(fleet, shown)
    files = {name: fleet.folder / f"{name}.heartbeat" for name in ("control", "objects", "beat")}
    until(lambda: problems() == [], what=lambda: str(problems()))

    child_process.kill(own_broker.process)
    silent = "the broker has not answered for "
    until(
        lambda: all(heartbeat.trouble(file).startswith(silent) for file in files.values()),
        seconds=2 * MINUTE,
        what=lambda: str({name: heartbeat.trouble(file) for name, file in files.items()}),
    )
    assert [heartbeat.restart(file) for file in files.values()] == [""] * 3
    assert urllib3.request("GET", f"http://127.0.0.1:{shown.port}/livez", timeout=10).status == 200

    own_broker.start()
    until(
        lambda: all(heartbeat.trouble(file) == "" for file in files.values()),
        seconds=2 * MINUTE,
        what=lambda: control.output + objects.output + clock.output,
    )
