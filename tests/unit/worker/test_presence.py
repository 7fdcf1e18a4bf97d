"""The identity and clock that a process reports with each heartbeat."""

import json
import time

import pytest
import redis

from tests.support.unit_fleets import wired
from trailcourier import wiring
from trailcourier.observability import heartbeat, log
from trailcourier.worker.presence import REPEAT, BeatPresence, WorkerPresence


class Clocks:
    """A wall clock and a monotonic one; a call to the broker takes *way* seconds each way."""

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
        log.configure("json", "info")
        yield settings


@pytest.fixture
def clocks(client):
    return Clocks(client)


@pytest.fixture
def pulse(wire, clocks):
    return WorkerPresence(("control",), clocks.wall, clocks.monotonic)


def facts(capsys):
    lines = capsys.readouterr().err.splitlines()
    return [json.loads(line) for line in lines if '"clock_skew"' in line]


def seen(ledger):
    (one,) = ledger.workers.list_processes().seen
    return one


def test_a_heartbeat_has_the_identity_of_its_process(pulse, ledger):
    pulse.report("control@host/1", 0)

    presence = seen(ledger).presence
    assert presence.roles == ("control",)
    assert presence.host
    assert presence.pid > 0
    assert presence.version == "0.1.0"
    assert len(presence.config) == 12


@pytest.mark.parametrize("ahead", [-3600.0, -2.5, 2.5, 86_400.0])
def test_a_clock_that_is_off_is_logged_at_once_and_reported_next_time(
    pulse, clocks, ledger, ahead, capsys
):
    clocks.ahead = ahead
    pulse.report("control@host/1")
    (fact,) = facts(capsys)
    pulse.report("control@host/1")

    assert fact["seconds_ahead"] == pytest.approx(ahead, abs=0.3)
    assert seen(ledger).presence.ahead == pytest.approx(ahead, abs=0.3)


def test_a_clock_that_stays_off_is_logged_once_an_hour(pulse, clocks, capsys):
    clocks.ahead = 60
    for _ in range(int(REPEAT / 10)):
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


def test_a_correct_clock_is_not_logged(pulse, ledger, capsys):
    for _ in range(2):
        pulse.report("control@host/1")

    assert facts(capsys) == []
    assert abs(seen(ledger).presence.ahead) < 1


def test_the_latency_to_the_broker_is_not_counted_as_clock_skew(pulse, clocks, ledger):
    clocks.way = 0.9
    for _ in range(2):
        pulse.report("control@host/1")

    assert abs(seen(ledger).presence.ahead) < 0.5


def test_a_slow_answer_does_not_measure_the_clock(pulse, clocks, ledger, capsys):
    clocks.way = 30
    for _ in range(2):
        pulse.report("control@host/1")

    assert facts(capsys) == []
    assert seen(ledger).presence.ahead is None


def test_beat_reports_itself(wire, ledger):
    clock = BeatPresence()
    clock.beat_if_due()

    roll = ledger.workers.list_processes()
    assert [each.presence.roles for each in roll.seen] == [("beat",)]
    assert heartbeat.trouble(wire.workers.heartbeat_file) == ""


def test_between_two_heartbeats_beat_does_not_call_the_broker(wire, ledger, client):
    clock = BeatPresence()
    clock.beat_if_due()
    client.flushall()

    clock.beat_if_due()

    assert ledger.workers.list_processes().seen == ()


def test_beat_without_a_broker_writes_its_heartbeat_and_then_why_it_does_no_work(wire, monkeypatch):
    clock = BeatPresence()

    def away(*_):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(wiring.workers(), "note_heartbeat", away)
    clock.beat_if_due()
    assert heartbeat.trouble(wire.workers.heartbeat_file) == ""

    clock._due = 0
    monkeypatch.setattr(clock._health, "_clock", lambda: clock._health._answered + 61)
    clock.beat_if_due()
    assert heartbeat.restart(wire.workers.heartbeat_file) == ""
    assert heartbeat.trouble(wire.workers.heartbeat_file) == (
        "the broker has not answered for 61 s"
    )


def test_a_broker_that_hangs_in_every_call_leaves_the_heartbeat_of_beat_fresh(wire, monkeypatch):
    hangs, now = 30.0, [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock, ages = BeatPresence(), []

    def call(*_):
        now[0] += hangs
        ages.append(now[0] - heartbeat._beat(wire.workers.heartbeat_file).at)
        raise redis.TimeoutError("no answer")

    monkeypatch.setattr(wiring.workers(), "note_heartbeat", call)
    for _ in range(5):
        clock.beat_if_due()
        with pytest.raises(redis.TimeoutError):
            call()  # a tick, sent to the same broker

    assert len(ages) == 10
    assert max(ages) <= hangs + 1
