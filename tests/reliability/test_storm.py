"""Everything is killed at random, and every record arrives."""

import os
import secrets
import tomllib

import pytest

from tests.reliability.storm import OBJECTS, Storm, Weather

# read before the environment is cleaned for the tests
SEED = int(os.environ.get("TRAILCOURIER_STORM_SEED") or secrets.randbelow(1_000_000))

# seconds; SQS gives a message back to us within a test's patience
LINE = {
    "visibility": 40,
    "claim": 4,
    "lost_after": 4,
    "idle_after": 2,
    "poll": 4,
    "receive_wait": 2,
    "heartbeat": 15,
    "park_first": 0.5,
    "park_last": 4.0,
    "breaker_probe": 2.0,
    "batch_records": 3,
}


def only(world, sink):
    """Let the source send to this sink alone."""
    text = world.config.read_text()
    world.config.write_text(text.replace('sinks = ["archive", "siem"]', f'sinks = ["{sink}"]'))
    world.outputs = {sink: world.outputs[sink]}


def told(world, weather):
    """What repeats this storm."""
    config = tomllib.loads(world.config.read_text())
    return (
        f"\nTRAILCOURIER_STORM_SEED={weather.seed}: {weather.messages} messages in "
        f"{weather.seconds} s, workers {config['workers']}, line {config['line']}, "
        f"broker visibility_timeout {config['broker']['visibility_timeout']} s\n"
        + "; ".join(map(str, weather.plan()))
    )


def through(world, weather, capsys, *, within):
    """Carry a storm's messages, and assert all that must hold whatever was struck."""
    storm = Storm(world, weather)
    with capsys.disabled():
        print(told(world, weather))
    world.start(*OBJECTS, "control", "beat")

    storm.rage()
    took = storm.subside(within)

    copies = storm.copies()
    with capsys.disabled():
        print(
            f"done {took:.1f} s after the last strike; {len(world.files)} objects, "
            f"{copies.total()} of them again, {sum(storm.leased)} leased when struck "
            f"{storm.leased}; received at most {max(world.receives().values())} times"
        )
    assert world.missing() == set()
    assert storm.early == {}
    world.check()
    assert storm.fallen == []
    assert storm.bugs() == []
    assert copies.total() <= sum(storm.leased)
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
