"""What a process tells of itself with each pulse."""

import json
import time

import pytest
import redis

from tests.unit.fleets import wired
from trailcourier import heartbeat, observe, wiring
from trailcourier.pulse import SAID, ClockPulse, Pulse


class Clocks:
    """A wall clock and a monotonic one; asking the broker takes *way* seconds each way."""

    def __init__(self, client):
        self._client, self.now, self.ahead, self.way = client, 1000.0, 0.0, 0.0
        self._asked = 0

    def monotonic(self):
        self._asked += 1
        return self.now + (2 * self.way if self._asked % 2 == 0 else 0)

    def wall(self):
        seconds, micros = self._client.time()
        return seconds + micros / 1e6 + self.ahead - self.way


@pytest.fixture
def wire(client, tmp_path):
    with wired(client, heartbeat_file=tmp_path / "heartbeat") as settings:
        observe.configure("json", "info")
        yield settings


@pytest.fixture
def clocks(client):
    return Clocks(client)


@pytest.fixture
def pulse(wire, clocks):
    return Pulse(("control",), clocks.wall, clocks.monotonic)


def facts(capsys):
    lines = capsys.readouterr().err.splitlines()
    return [json.loads(line) for line in lines if '"clock_skew"' in line]


def seen(ledger):
    (one,) = ledger.workers.roll().seen
    return one


def test_a_process_says_who_and_where_it_is_and_by_what_it_works(pulse, ledger):
    pulse.report("control@host/1", 0)

    presence = seen(ledger).presence
    assert presence.roles == ("control",)
    assert presence.host
    assert presence.pid > 0
    assert presence.version == "0.1.0"
    assert len(presence.config) == 12


@pytest.mark.parametrize("ahead", [-3600.0, -2.5, 2.5, 86_400.0])
def test_a_clock_that_is_off_is_told_with_the_next_pulse_and_said_at_once(
    pulse, clocks, ledger, ahead, capsys
):
    clocks.ahead = ahead
    pulse.report("control@host/1")
    (said,) = facts(capsys)
    pulse.report("control@host/1")

    assert said["seconds_ahead"] == pytest.approx(ahead, abs=0.3)
    assert seen(ledger).presence.ahead == pytest.approx(ahead, abs=0.3)


def test_a_clock_that_stays_off_is_said_once_an_hour(pulse, clocks, capsys):
    clocks.ahead = 60
    for _ in range(int(SAID / 10)):
        pulse.report("control@host/1")
        clocks.now += 10
    assert len(facts(capsys)) == 1

    pulse.report("control@host/1")
    assert len(facts(capsys)) == 1

    clocks.ahead = 0
    pulse.report("control@host/1")
    clocks.ahead = 60
    pulse.report("control@host/1")
    assert len(facts(capsys)) == 1


def test_a_clock_that_is_right_is_not_worth_a_word(pulse, ledger, capsys):
    for _ in range(2):
        pulse.report("control@host/1")

    assert facts(capsys) == []
    assert abs(seen(ledger).presence.ahead) < 1


def test_the_way_to_the_broker_is_not_the_clocks(pulse, clocks, ledger):
    clocks.way = 0.9
    for _ in range(2):
        pulse.report("control@host/1")

    assert abs(seen(ledger).presence.ahead) < 0.5


def test_an_answer_that_was_slow_says_nothing_of_a_clock(pulse, clocks, ledger, capsys):
    clocks.way = 30
    for _ in range(2):
        pulse.report("control@host/1")

    assert facts(capsys) == []
    assert seen(ledger).presence.ahead is None


def test_the_clock_tells_of_itself(wire, ledger):
    clock = ClockPulse()
    clock.take()

    roll = ledger.workers.roll()
    assert [each.presence.roles for each in roll.seen] == [("beat",)]
    assert heartbeat.trouble(wire.workers.heartbeat_file) == ""


def test_between_two_pulses_the_clock_asks_nobody(wire, ledger, client):
    clock = ClockPulse()
    clock.take()
    client.flushall()

    clock.take()

    assert ledger.workers.roll().seen == ()


def test_a_clock_without_a_broker_beats_and_then_says_why_it_does_no_work(wire, monkeypatch):
    clock = ClockPulse()

    def away(*_):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(wiring.workers(), "heartbeat", away)
    clock.take()
    assert heartbeat.trouble(wire.workers.heartbeat_file) == ""

    clock._due = 0
    monkeypatch.setattr(clock._life, "_clock", lambda: clock._life._heard + 61)
    clock.take()
    assert heartbeat.restart(wire.workers.heartbeat_file) == ""
    assert heartbeat.trouble(wire.workers.heartbeat_file) == (
        "the broker has not answered for 61 s"
    )


def test_a_broker_that_hangs_in_every_call_leaves_the_clocks_heartbeat_fresh(wire, monkeypatch):
    hangs, now = 30.0, [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock, ages = ClockPulse(), []

    def call(*_):
        now[0] += hangs
        ages.append(now[0] - heartbeat._beat(wire.workers.heartbeat_file).at)
        raise redis.TimeoutError("no answer")

    monkeypatch.setattr(wiring.workers(), "heartbeat", call)
    for _ in range(5):
        clock.take()
        with pytest.raises(redis.TimeoutError):
            call()  # a tick, which the same broker is asked to take

    assert len(ages) == 10
    assert max(ages) <= hangs + 1
