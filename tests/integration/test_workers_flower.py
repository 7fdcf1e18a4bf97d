"""Flower on our app: who gets in, what it may be told, what it keeps; it finds our queues."""

import json
import subprocess
import sys

import pytest
from flower.urls import handlers

from tests.support import flower, processes
from tests.support.fleet import until
from tests.support.servers import free_port
from trailcourier.host import child_process

# what an operator may set, and would leave it open, or shut to everybody
OPEN = {
    "nothing": {},
    "only its API opened": {"FLOWER_UNAUTHENTICATED_API": "true"},
    "only a place to log in": {"FLOWER_AUTH_PROVIDER": "flower.views.auth.GoogleAuth2LoginHandler"},
    "an empty login": {"FLOWER_BASIC_AUTH": ""},
    "a user alone": {"FLOWER_BASIC_AUTH": "hunter2"},
    "no password": {"FLOWER_BASIC_AUTH": "hunter2:"},
    "no user": {"FLOWER_BASIC_AUTH": ":hunter2"},
    "a password with a comma": {"FLOWER_BASIC_AUTH": "operator:hun,hunter2"},
    "a password that is not ASCII": {"FLOWER_BASIC_AUTH": "operator:größe-hunter2"},
    "a file that is not there": {"TRAILCOURIER_FLOWER__CREDENTIALS": "file:/no/such/file"},
    "a login written down": {"TRAILCOURIER_FLOWER__CREDENTIALS": "operator:hunter2"},
}


SHOWN = "TRAILCOURIER_WORKERS__FLOWER_OBJECTS"

# macOS has one address for the loopback
ANOTHER = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"


@pytest.fixture
def events(fleet):
    """A worker of nobody's that sends events by the hundred."""
    with (
        fleet.app.connection_for_write() as connection,
        fleet.app.events.Dispatcher(
            connection, hostname="objects@host", buffer_group=["task"], buffer_limit=500
        ) as dispatcher,
    ):
        yield dispatcher


def send(events, page, number):
    """Send so many tasks once Flower listens, and wait until it has the last."""
    name = {"name": "trailcourier.forward", "kwargs": ""}

    def heard():
        events.send("task-received", uuid="first", args="prod s3://bucket/first", **name)
        events.flush()
        return page.count()

    until(heard)
    for at in range(number):
        events.send("task-received", uuid=f"task-{at}", args=f"prod s3://bucket/{at}", **name)
    events.flush()
    until(lambda: page.ask(f"/api/task/info/task-{number - 1}")[0] == 200, seconds=60)


@pytest.mark.parametrize("around", [pytest.param(OPEN[name], id=name) for name in OPEN])
def test_without_a_login_it_says_in_one_line_what_to_set_and_ends(fleet, around):
    started = fleet.celery("-A", "tasks", "flower", f"--port={free_port()}", **around)

    assert started.wait() == 78
    (line,) = started.output.splitlines()
    assert line.startswith("trailcourier: ")
    assert "FLOWER_BASIC_AUTH" in line or "CREDENTIALS" in line.upper()
    assert "hunter2" not in line


def test_it_takes_logins_from_a_file_and_neither_its_command_line_nor_its_log_has_them(fleet):
    file = fleet.folder / "logins"
    file.write_text("operator:first, and a comma\nother:second\n")

    page = flower.Flower(fleet, login=None, TRAILCOURIER_FLOWER__CREDENTIALS=f"file:{file}")

    logins = ("operator:first, and a comma", "other:second", "other:first", ":", "")
    assert [page.ask("/workers", login=each)[0] for each in logins] == [200, 200, 401, 401, 401]
    line = processes.command_line(page.process.process.pid)
    assert "flower" in line
    assert [each for each in ("first", "second") if each in line + page.process.output] == []


def test_it_needs_no_secret_of_a_source_or_a_sink(fleet):
    keys = 'kind = "iam-user"\naccess_key_id = "env:NOT_HERE"\nsecret_access_key = "file:/not/here"'
    fleet.config.write_text(f"{fleet.config.read_text()}\n[sources.prod.credentials]\n{keys}\n")

    page = flower.Flower(fleet)

    assert page.ask("/workers")[0] == 200


def test_it_is_on_the_loopback_and_read_only_and_its_api_wants_the_login_too(fleet):
    page = flower.Flower(fleet, FLOWER_UNAUTHENTICATED_API="true")

    acts = [each[0].replace("(.+)", "x") for each in handlers if isinstance(each, tuple)]
    answers = [page.ask(act, {})[0] for act in acts if act.startswith("/api/")]
    assert flower.listens("127.0.0.1", page.port)
    assert not flower.listens("127.0.0.2", page.port)
    assert answers.count(403) > 10
    assert set(answers) == {403, 405}  # forbidden, or nothing to be posted to
    assert [page.ask(path, login="")[0] for path in ("/", "/tasks", "/api/tasks")] == 3 * [401]


def test_what_an_operator_says_wins(fleet, events):
    page = flower.Flower(fleet, "--read_only=False", FLOWER_ADDRESS="0.0.0.0", FLOWER_MAX_TASKS="7")

    send(events, page, 20)

    assert flower.listens(ANOTHER, page.port)
    assert page.ask("/api/worker/shutdown/x", {})[0] == 404  # there is no such worker
    assert page.count() == 7


def test_it_keeps_ten_thousand_tasks_of_any_number(fleet, events):
    page = flower.Flower(fleet)

    send(events, page, 12_000)

    assert page.count() == 10_000
    assert page.rows("s3://bucket/first") == []
    assert len(page.rows("s3://bucket/11998")) == 1


def test_a_worker_that_has_long_been_gone_is_listed_no_more(fleet, events):
    page = flower.Flower(fleet, FLOWER_PURGE_OFFLINE_WORKERS="6")

    def listed():
        status, text = page.ask("/workers?json=1")
        if status != 200:  # Flower's page and its events are two threads: one may trip the other
            return None
        return [(x["hostname"], x["status"]) for x in json.loads(text)["data"]]

    def heard():
        events.send("worker-heartbeat", freq=0.1)
        return listed()

    until(heard)
    until(lambda: listed() == [("objects@host", False)])
    until(lambda: listed() == [])


@pytest.mark.parametrize(
    ("setting", "sends"),
    [pytest.param({}, "True", id="by itself"), pytest.param({SHOWN: "false"}, "False", id="off")],
)
def test_objects_are_shown_unless_that_is_turned_off(fleet, setting, sends):
    argv = [sys.executable, "-c", "from tasks.line import forward; print(forward.send_events)"]
    around = fleet.environment | setting

    ran = subprocess.run(argv, env=around, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == sends


def test_it_counts_what_waits_in_our_queues(fleet):
    page = flower.Flower(fleet)
    fleet.worker("-Q", "objects", "-c", "1", "-I", "tests.integration.trial")
    until(lambda: page.api("workers?refresh=1"))
    for _ in range(4):
        fleet.app.send_task("trial.stoppable", (str(fleet.folder),), queue="objects")
    until((fleet.folder / "holds").exists)

    (queue,) = page.api("queues/length")["active_queues"]

    assert queue == {"name": "objects", "messages": 3}


@pytest.mark.parametrize(
    ("task", "more"),
    [
        pytest.param("stoppable", (), id="after it was asked to stop"),
        pytest.param("hold", (0,), id="a moment before"),
    ],
)
def test_what_ends_as_its_worker_stops_is_shown_as_ended(fleet, task, more):
    page = flower.Flower(fleet)
    worker = fleet.worker("-Q", "objects", "-I", "tests.integration.trial")
    until(lambda: page.api("workers?refresh=1"))
    fleet.app.send_task(f"trial.{task}", (str(fleet.folder), *more), queue="objects")
    until((fleet.folder / "holds").exists)

    assert child_process.stop(worker.process, grace=30) == 0

    until(lambda: [task["state"] for task in page.api("tasks").values()] == ["SUCCESS"])


def test_what_serves_a_source_is_shown_where_it_fails(fleet):
    page = flower.Flower(fleet)
    fleet.worker("-Q", "control")
    until(lambda: page.api("workers?refresh=1"))

    fleet.app.send_task("trailcourier.settle", (None, "nowhere", []), queue="control")

    until(lambda: [task["state"] for task in page.api("tasks").values()] == ["FAILURE"])
    (task,) = page.api("tasks").values()
    assert task["name"] == "trailcourier.settle"
    assert "no source 'nowhere'" in task["exception"]
