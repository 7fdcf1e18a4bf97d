import threading

import prometheus_client
import pytest
import urllib3

from tests.support.servers import free_port
from tests.support.unit_fleets import wired
from trailcourier import wiring
from trailcourier.errors import ConfigError
from trailcourier.models import Numbers
from trailcourier.observability import http_server
from trailcourier.settings import Settings
from trailcourier.worker.presence import INTERVAL, WorkerPresence
from trailcourier.worker.role import WorkerRole, WorkerService, role_of

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
SETTINGS = {
    "workers": {"threads": 3},
    "sources": {
        "prod": {"queue_url": QUEUE, "sinks": ["archive"], "pollers": 2},
        "dev": {"queue_url": f"{QUEUE}-dev", "sinks": ["archive"]},
    },
}


@pytest.mark.parametrize(
    ("queues", "excluded", "expected"),
    [
        pytest.param(["objects"], [], WorkerRole("objects", 3, 3), id="objects: as configured"),
        pytest.param(
            ["control"],
            [],
            WorkerRole("control", 7, 0, samples=True),
            id="control: the pollers and four",
        ),
        pytest.param([], [], WorkerRole("worker", 10, 3, samples=True), id="none named: both"),
        pytest.param(
            ["control", "objects"], [], WorkerRole("worker", 10, 3, samples=True), id="both named"
        ),
        pytest.param(
            [], ["objects"], WorkerRole("control", 7, 0, samples=True), id="all but objects"
        ),
    ],
)
def test_the_role_of_a_worker_follows_from_its_queues(queues, excluded, expected):
    assert role_of(queues, excluded, Settings.model_validate(SETTINGS)) == expected


def test_one_missed_heartbeat_does_not_make_a_worker_dead():
    with pytest.raises(ValueError, match="heartbeat"):
        Numbers(heartbeat=int(INTERVAL) + 1)


def test_an_unknown_queue_is_an_error_that_names_it():
    with pytest.raises(ConfigError, match="there is no queue 'celery'; there are control and obj"):
        role_of(["celery"], [], Settings.model_validate(SETTINGS))


@pytest.mark.parametrize(
    ("queues", "roles"),
    [
        (["control"], ("control",)),
        (["objects"], ("objects",)),
        ([], ("control", "objects")),
    ],
)
def test_its_roles_are_those_of_the_ledger(queues, roles):
    assert role_of(queues, [], Settings.model_validate(SETTINGS)).roles == roles


@pytest.fixture
def page(monkeypatch):
    """The servers that were started, each closed at the end."""
    monkeypatch.setattr(prometheus_client, "REGISTRY", prometheus_client.CollectorRegistry())
    served, serve = [], http_server.serve
    monkeypatch.setattr(http_server, "serve", lambda *to, **what: served.append(serve(*to, **what)))
    yield served
    for each in served:
        each.close()


def test_a_worker_on_a_host_that_fails_by_itself_is_live_but_not_ready(client, page):
    def ask(path):
        answer = urllib3.request("GET", f"http://127.0.0.1:{page[0].port}{path}", timeout=10)
        return answer.status, answer.data.decode()

    with wired(client, metrics_port=free_port()) as settings:
        service = WorkerService(role_of(["objects"], [], settings), settings, threading.Event())
        service.health.connected()
        before = ask("/readyz")
        wiring.fitness().note_open("sink:archive@sick", "sink-full: no space left on device")
        unfit, alive = ask("/readyz"), ask("/livez")
        wiring.update_fitness()  # the ledger knows of no such breaker

        assert before == alive == ask("/readyz") == (200, "well\n")
        assert unfit == (503, "sink:archive@sick: sink-full: no space left on device\n")


@pytest.fixture
def control(client, page):
    """A control worker's service, which has begun its heartbeats, and its event to stop."""
    with wired(client) as settings:
        stopping = threading.Event()
        service = WorkerService(role_of(["control"], [], settings), settings, stopping)
        service.begin("control@host/1", 0)
        yield service, stopping
        stopping.set()
        service.end()


def test_a_report_that_is_slow_while_its_process_stops_does_not_outlive_it(
    control, client, monkeypatch
):
    service, stopping = control
    report, arrived, released = WorkerPresence.report, threading.Event(), threading.Event()

    def slow(*args):
        arrived.set()
        released.wait(10)
        report(*args)

    monkeypatch.setattr(WorkerPresence, "report", slow)
    service.connected()
    assert arrived.wait(10)
    stopping.set()
    released.set()
    service.end()

    assert client.hkeys("trailcourier:1:workers") == []


def test_a_process_that_stops_before_it_reported_is_never_listed(control, client):
    service, stopping = control

    stopping.set()
    service.connected()
    service.end()

    assert client.hkeys("trailcourier:1:workers") == []
