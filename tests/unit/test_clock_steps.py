"""A clock that is set, on any host of a fleet: nobody is dead for it, and nobody alive."""

import os
import threading
import time

import pytest

from tests.unit.fleets import move, pulse, well, wired
from trailcourier import heartbeat, standstill
from trailcourier import pulse as pulses
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, ROLES
from trailcourier.life import AWAY, STUCK, Life
from trailcourier.status import standing

HOUR = 3600.0
STEPS = [
    pytest.param(-HOUR, id="an hour back"),
    pytest.param(HOUR, id="an hour on"),
    pytest.param(13 * HOUR, id="thirteen hours on"),
    pytest.param(-25.0, id="25 s back"),
    pytest.param(25.0, id="25 s on"),
    pytest.param(None, id="summer time begins"),
]
PULSE = pulses.PULSE


class Host:
    """A host's two clocks; the wall clock may be set."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch
        self._monotonic, self._ahead, self._slept = time.monotonic, 0.0, 0.0
        self._time = time.time
        monkeypatch.setattr(time, "monotonic", self.monotonic)
        monkeypatch.setattr(time, "time", self.wall)

    def monotonic(self):
        return self._monotonic() + self._slept

    def wall(self):
        return self._time() + self._slept + self._ahead

    def set(self, step):
        """Set the wall clock by *step* seconds, or another time zone."""
        if step is None:
            self._monkeypatch.setenv("TZ", "Europe/Berlin")
            time.tzset()
        else:
            self._ahead += step

    def let_pass(self, seconds):
        self._slept += seconds


@pytest.fixture
def host(monkeypatch):
    yield Host(monkeypatch)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("since", "is_well"), [(5, True), (59, True), (61, False), (HOUR, False)])
def test_a_heartbeat_is_as_old_as_it_is(tmp_path, host, step, since, is_well):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    os.utime(file, (host.wall(), host.wall()))

    host.set(step)
    host.let_pass(since)

    assert (heartbeat.trouble(file) == "") is is_well


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_counts_its_own_seconds(host, step):
    life = Life(threading.Event(), time.monotonic)
    life.connected()

    host.set(step)
    assert (life.trouble(), life.away(), life.unready()) == ("", "", "")

    host.let_pass(max(AWAY, STUCK) + 1)
    assert life.trouble() == "the consumer has stood still for 61 s"
    assert life.away() == "the broker has not answered for 61 s"


@pytest.mark.parametrize("step", STEPS)
def test_a_process_whose_clock_was_set_is_alive_and_named(client, ledger, host, step):
    host.set(step)

    with wired(client):
        report = pulses.Pulse((CONTROL,), time.time).report
        report("control@host/7")
        report("control@host/7")

    roll = ledger.workers.roll()
    (seen,) = roll.alive(CONTROL)
    assert seen.presence.ahead == pytest.approx(step or 0, abs=0.5)
    assert len(list(standstill.clocks(roll))) == (1 if step else 0)


@pytest.mark.parametrize("step", STEPS)
def test_what_a_host_notes_does_not_depend_on_its_clock(ledger, host, step):
    host.set(step)

    well(ledger)

    assert standing(ledger).state == "well"


@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_fleet_is_well_a_pulse_after_the_brokers_clock_was_set(ledger, pass_time, step):
    well(ledger)

    pass_time(step)
    well(ledger)

    assert standing(ledger).state == "well"


@pytest.mark.parametrize("step", STEPS[:-1])
@pytest.mark.parametrize("gone", ROLES)
def test_who_is_gone_stays_gone_when_the_brokers_clock_is_set(ledger, pass_time, gone, step):
    well(ledger)
    pass_time(60)

    pass_time(step)
    for role in {CONTROL, OBJECTS, BEAT} - {gone}:
        pulse(ledger, role)
    move(ledger, *(("poll", "tend", "settle") if gone == BEAT else ()))

    roll = ledger.workers.roll()
    assert [role for role in ROLES if not roll.alive(role)] == [gone]
    assert ledger.workers.threads() == (0 if gone == OBJECTS else 8)
    kind = {CONTROL: "no-control-worker", OBJECTS: "no-object-worker", BEAT: "no-tick"}[gone]
    assert [each.kind for each in standing(ledger).problems] == [kind]


@pytest.mark.parametrize("step", [-HOUR, -25.0])
def test_who_ends_just_before_the_brokers_clock_goes_back_is_not_alive_until_it_is_there_again(
    ledger, pass_time, step
):
    well(ledger)
    pass_time(step)
    pulse(ledger, OBJECTS, host="another")

    pass_time(31)
    pulse(ledger, OBJECTS, host="another")

    roll = ledger.workers.roll()
    assert [each.presence.host for each in roll.alive(OBJECTS)] == ["another"]
    assert roll.alive(CONTROL) == ()


def test_a_fleet_that_is_gone_is_not_there_again_by_a_step_back(ledger, pass_time):
    well(ledger)
    pass_time(60)

    pass_time(-HOUR)

    found = standing(ledger)
    assert [each.kind for each in found.problems] == [
        "no-control-worker",
        "no-object-worker",
        "no-tick",
    ]
    assert (found.workers, ledger.workers.threads()) == (0, 0)
    assert "since the broker's clock was set back" in found.problems[0].text


def test_a_brokers_clock_that_is_set_by_degrees_makes_nobody_dead(ledger, pass_time):
    well(ledger)

    pass_time(-9)

    assert standing(ledger).state == "well"
