"""Everything is killed at random, and every record arrives."""

import os
import secrets

import pytest

from tests.reliability.storm import LINE, Storm, only, repeated
from tests.reliability.weather import BROKER, CLOCKS, DRY, NETWORK, Weather

# read before the environment is cleaned for the tests
SEED = int(os.environ.get("TRAILCOURIER_STORM_SEED") or secrets.randbelow(1_000_000))


def through(world, weather, capsys, *, within):
    """Carry a storm's messages, and assert all that must hold whatever was struck."""
    storm = Storm(world, weather)
    with capsys.disabled():
        print(repeated(world, weather))
    storm.gather()

    storm.rage()
    took = storm.subside(within)

    with capsys.disabled():
        print(storm.summary(took))
    assert storm.complaints() == []
    return storm


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

    through(world, Weather(SEED, 90, 400, DRY), capsys, within=300)


def once(make, capsys, kind):
    """Make one kind of strike amid some seconds of messages, and see that it was made."""
    world = make(persist=True, **LINE | {"visibility": 10})
    only(world, "siem")

    storm = through(world, Weather(SEED, 4, 40, ((kind, 1),)), capsys, within=90)

    (made,) = storm.made
    assert made.split()[0] == kind.split()[0]


QUICK = ("answers MISCONF", "rotation")
KINDS = [kind for kind, _ in (*BROKER, *CLOCKS, *NETWORK) if kind not in QUICK]


@pytest.mark.parametrize("kind", QUICK)
def test_one_strike_loses_nothing(make, capsys, kind):
    once(make, capsys, kind)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_each_other_strike_loses_nothing(make, capsys, kind):
    once(make, capsys, kind)
