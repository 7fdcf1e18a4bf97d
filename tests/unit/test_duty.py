import time

import pytest

from tests import servers
from trailcourier import broker
from trailcourier.duty import PULSE, Duty, compare_clocks, duty
from trailcourier.errors import ConfigError
from trailcourier.models import Numbers
from trailcourier.settings import Settings

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
        pytest.param(["objects"], [], Duty("objects", 3, 3), id="objects: as configured"),
        pytest.param(
            ["control"], [], Duty("control", 7, 0, tells=True), id="control: the pollers and four"
        ),
        pytest.param([], [], Duty("worker", 10, 3, tells=True), id="none named: both"),
        pytest.param(
            ["control", "objects"], [], Duty("worker", 10, 3, tells=True), id="both named"
        ),
        pytest.param([], ["objects"], Duty("control", 7, 0, tells=True), id="all but objects"),
    ],
)
def test_the_duty_of_a_worker_follows_from_its_queues(queues, excluded, expected):
    assert duty(queues, excluded, Settings.model_validate(SETTINGS)) == expected


def test_a_worker_cannot_be_gone_for_want_of_one_pulse():
    with pytest.raises(ValueError, match="heartbeat"):
        Numbers(heartbeat=int(PULSE) + 1)


def test_a_queue_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match="there is no queue 'celery'; there are control and obj"):
        duty(["celery"], [], Settings.model_validate(SETTINGS))


@pytest.fixture(scope="module")
def running():
    with servers.valkey() as started:
        yield started


class Clock:
    """A broker whose clock differs from this machine's by so many seconds."""

    def __init__(self, behind: float) -> None:
        self._behind = behind

    def time(self) -> tuple[int, int]:
        now = time.time() - self._behind
        return int(now), int(now % 1 * 1_000_000)


@pytest.mark.parametrize("ahead", [-3600.0, -2.5, 2.5, 86_400.0])
def test_a_clock_that_is_off_is_said(ahead, capsys):
    found = compare_clocks(Clock(ahead))

    assert found == pytest.approx(ahead, abs=0.2)
    assert "clock_skew" in "".join(capsys.readouterr())


def test_a_clock_that_is_right_is_not_worth_a_word(running, capsys):
    with broker.connect(running.url) as client:
        found = compare_clocks(client)

    assert abs(found) < 1
    assert "".join(capsys.readouterr()) == ""
