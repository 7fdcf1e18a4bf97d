import pytest
from pydantic import ValidationError

from trailcourier.models import Numbers


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"visibility": 30, "tend": 11}, "more than a third of vis", id="tend"),
        pytest.param({"park_first": 20, "park_last": 10}, "less than park_first", id="park"),
        pytest.param({"starts_alone": 5}, "more than starts_alone", id="starts"),
    ],
)
def test_numbers_that_cannot_go_together_are_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        Numbers(**given | {"starts_refused": 5})


def test_one_number_that_is_wrong_by_itself_is_the_only_one_told():
    with pytest.raises(ValidationError) as told:
        Numbers(poll=0)

    assert [error["loc"] for error in told.value.errors()] == [("poll",)]
