"""How much of a queue's limits a message has used, and when a warning follows."""

import pytest

from trailcourier.models import QueueLimits
from trailcourier.operations import expiry

DAY = 86_400
TEN = QueueLimits(kept=4 * DAY, receives=10)


@pytest.mark.parametrize(
    ("limits", "receives", "waited", "used"),
    [
        pytest.param(QueueLimits(), 9, DAY, None, id="nothing is known"),
        pytest.param(TEN, 0, None, 0, id="nothing is leased"),
        pytest.param(TEN, 1, DAY, 0.25, id="time"),
        pytest.param(TEN, 5, DAY, 0.5, id="receives"),
        pytest.param(TEN, 12, 5 * DAY, 1.25, id="more than all"),
        pytest.param(QueueLimits(receives=0, kept=DAY), 50, 0, 0, id="no dead-letter queue"),
        pytest.param(QueueLimits(receives=1), 1, None, 0, id="a first receive is no sign"),
    ],
)
def test_the_larger_share_is_returned(limits, receives, waited, used):
    assert expiry.used(limits, receives, waited) == used


@pytest.mark.parametrize(
    ("receives", "waited", "expected"),
    [
        (4, 2 * DAY - 1, []),
        (5, 0, ["received 5 of 10 times"]),
        (0, 2 * DAY, ["has waited 2 d"]),
        (9, 3 * DAY, ["received 9 of 10 times", "has waited 3 d"]),
    ],
)
def test_a_warning_comes_from_a_half_on(receives, waited, expected):
    found = list(expiry.warnings(TEN, receives, waited))

    assert len(found) == len(expected)
    assert all(words in text for words, text in zip(expected, found, strict=True))


def test_an_outage_uses_a_receive_each_half_day():
    (text,) = expiry.warnings(TEN, 6, 0)

    assert "in about 2 d" in text


def test_a_queue_with_the_longest_retention_is_not_advised_to_raise_it():
    (text,) = expiry.warnings(QueueLimits(kept=expiry.LONGEST), 0, 8 * DAY)

    assert "14 days" not in text
