import pytest
from pydantic import ValidationError

from trailcourier.models import Numbers, Outcome


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(
            {"visibility": 30, "maintenance": 11}, "more than a third of vis", id="maintenance"
        ),
        pytest.param({"park_first": 20, "park_last": 10}, "less than park_first", id="park"),
        pytest.param({"starts_alone": 5}, "more than starts_alone", id="starts"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        Numbers(**given | {"starts_refused": 5})


def test_a_wrong_setting_is_reported_alone():
    with pytest.raises(ValidationError) as raised:
        Numbers(poll=0)

    assert [error["loc"] for error in raised.value.errors()] == [("poll",)]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("delivered", Outcome("delivered")),
        ("refused:corrupt", Outcome("refused", "corrupt")),
        ("skipped:already-delivered", Outcome("skipped", "already-delivered")),
    ],
)
def test_an_outcome_is_written_and_parsed_alike(text, outcome):
    assert str(outcome) == text
    assert Outcome.parse(text) == outcome


def test_an_outcome_is_written_without_its_detail():
    assert str(Outcome("parked", "network", "no route")) == "parked:network"
