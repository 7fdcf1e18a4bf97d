import pytest

from trailcourier.duty import Duty, duty
from trailcourier.errors import ConfigError
from trailcourier.models import Numbers
from trailcourier.pulse import PULSE
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


@pytest.mark.parametrize(
    ("queues", "roles"),
    [
        (["control"], ("control",)),
        (["objects"], ("objects",)),
        ([], ("control", "objects")),
    ],
)
def test_its_roles_are_those_that_status_asks_for(queues, roles):
    assert duty(queues, [], Settings.model_validate(SETTINGS)).roles == roles
