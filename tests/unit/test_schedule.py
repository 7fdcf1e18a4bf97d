import subprocess
import sys

import pytest

from beat.schedule import entries
from trailcourier.settings import Settings

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"


@pytest.fixture
def schedule():
    return entries(
        Settings.model_validate(
            {
                "line": {"expert": {"maintenance": 3}},
                "sources": {
                    "prod": {"queue_url": QUEUE, "sinks": ["archive"], "pollers": 2},
                    "dev": {"queue_url": f"{QUEUE}-dev", "sinks": ["archive"]},
                },
            }
        )
    )


def of(schedule, task):
    return [entry for entry in schedule.values() if entry["task"] == f"trailcourier.{task}"]


def seconds(entries):
    return [entry["schedule"].seconds for entry in entries]


def test_every_poller_of_every_source_is_called_each_second(schedule):
    polls = of(schedule, "poll")

    assert [entry["args"] for entry in polls] == [("prod", 0), ("prod", 1), ("dev", 0)]
    assert seconds(polls) == [1.0] * 3


def test_every_source_is_tended_as_often_as_configured(schedule):
    tends = of(schedule, "maintenance")

    assert [entry["args"] for entry in tends] == [("prod",), ("dev",)]
    assert seconds(tends) == [3.0] * 2


def test_nothing_else_is_called(schedule):
    assert len(schedule) == 5


def test_a_tick_is_shown_by_its_source_and_its_poller_where_there_are_several(schedule):
    options = [entry["options"] for entry in schedule.values()]

    assert [each["argsrepr"] for each in options] == [
        "prod, poller 1", "prod, poller 2", "prod", "dev", "dev",
    ]  # fmt: skip


def test_without_a_source_there_is_nothing_to_do():
    assert entries(Settings()) == {}


CONFIG = f"""
[broker]
url = "env:BROKER"
[sources.prod]
queue_url = "{QUEUE}"
sinks = ["archive"]
[sinks.archive]
type = "file"
path = "events"
"""


def test_the_clock_never_sleeps_longer_than_five_seconds(tmp_path, monkeypatch):
    """It sleeps until the next entry is due, and a clock that is set may say: in hours."""
    config = tmp_path / "trailcourier.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("TRAILCOURIER_CONFIG", str(config))
    monkeypatch.setenv("BROKER", "redis://127.0.0.1:1/0")  # which nobody asks
    code = (
        "from beat.celery import Scheduler, app; "
        "print(app.conf.beat_max_loop_interval, Scheduler(app, lazy=True).max_interval)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert [0 < float(each) <= 5 for each in done.stdout.split()] == [True, True], done.stdout
