"""Everything is killed at random, and every record arrives."""

import os
import secrets

import pytest

from tests.reliability.storm import LINE, Storm, only, repeated
from tests.reliability.strikes import EVERYTHING, OBJECTS, Weather

# read before the environment is cleaned for the tests
SEED = int(os.environ.get("TRAILCOURIER_STORM_SEED") or secrets.randbelow(1_000_000))


def through(world, weather, capsys, *, within):
    """Carry a storm's messages, and assert all that must hold whatever was struck."""
    storm = Storm(world, weather)
    with capsys.disabled():
        print(repeated(world, weather))
    world.start(*OBJECTS, "control", "beat")

    storm.rage()
    took = storm.subside(within)

    with capsys.disabled():
        print(storm.told(took))
    assert storm.complaints() == []
    world.check()
    world.until(lambda: world.ledger.flow.in_hand() == (0, 0, 0), "nothing is held any more")


@pytest.mark.slow
@pytest.mark.timeout(480)
@pytest.mark.parametrize("sink", ["archive", "siem"])
def test_a_minute_of_kills_loses_nothing(make, capsys, sink):
    world = make(persist=True, **LINE)
    only(world, sink)

    through(world, Weather(SEED), capsys, within=240)


def test_a_few_seconds_of_kills_lose_nothing(make, capsys):
    world = make(persist=True, **LINE | {"visibility": 10})
    strikes = (("objects", 2), ("control", 1), ("broker", 1), ("flushall", 1))

    through(world, Weather(SEED, 8, 60, strikes), capsys, within=60)


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_a_minute_of_every_kind_of_strike_loses_nothing(make, capsys):
    world = make(persist=True, **LINE)
    only(world, "siem")
    kinds = tuple(each for each in EVERYTHING if each[0] != "full disk")  # it needs a disk to fill

    through(world, Weather(SEED, 90, 400, kinds), capsys, within=300)
