"""Setting a clock, on any host of a fleet, makes no process look dead and none alive."""

import os
import threading
import time

import pytest

from tests.support.unit_fleets import move, pulse, well, wired
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, ROLES
from trailcourier.observability import heartbeat
from trailcourier.observability.health import AWAY, STUCK, ProcessHealth
from trailcourier.operations import standstill
from trailcourier.operations.status import read_status
from trailcourier.worker import presence

HOUR = 3600.0
STEPS = [
    pytest.param(-HOUR, id="an hour back"),
    pytest.param(HOUR, id="an hour on"),
    pytest.param(13 * HOUR, id="thirteen hours on"),
    pytest.param(-25.0, id="25 s back"),
    pytest.param(25.0, id="25 s on"),
    pytest.param(None, id="summer time begins"),
]
PULSE = presence.INTERVAL


class Host:
    """A host's wall clock, which can be set, and its monotonic clock."""

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
def test_the_age_of_a_heartbeat_does_not_depend_on_the_wall_clock(
    tmp_path, host, step, since, is_well
):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    os.utime(file, (host.wall(), host.wall()))

    host.set(step)
    host.let_pass(since)

    assert (heartbeat.trouble(file) == "") is is_well


@pytest.mark.parametrize("step", STEPS)
def test_a_workers_health_does_not_depend_on_the_wall_clock(host, step):
    life = ProcessHealth(threading.Event(), time.monotonic)
    life.connected()

    host.set(step)
    assert (life.trouble(), life.away(), life.unready()) == ("", "", "")

    host.let_pass(max(AWAY, STUCK) + 1)
    assert life.trouble() == "the consumer has been stuck for 61 s"
    assert life.away() == "the broker has not answered for 61 s"


@pytest.mark.parametrize("step", STEPS)
def test_a_process_whose_clock_was_set_is_alive_and_reported(client, ledger, host, step):
    host.set(step)

    with wired(client):
        report = presence.WorkerPresence((CONTROL,), time.time).report
        report("control@host/7")
        report("control@host/7")

    roll = ledger.workers.list_processes()
    (seen,) = roll.alive(CONTROL)
    assert seen.presence.ahead == pytest.approx(step or 0, abs=0.5)
    assert len(list(standstill.clock_warnings(roll))) == (1 if step else 0)


@pytest.mark.parametrize("step", STEPS)
def test_traces_do_not_depend_on_the_hosts_clock(ledger, host, step):
    host.set(step)

    well(ledger)

    assert read_status(ledger).state == "well"


@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_fleet_is_well_one_heartbeat_after_the_brokers_clock_was_set(ledger, pass_time, step):
    well(ledger)

    pass_time(step)
    well(ledger)

    assert read_status(ledger).state == "well"


@pytest.mark.parametrize("step", STEPS[:-1])
@pytest.mark.parametrize("gone", ROLES)
def test_a_missing_role_stays_missing_when_the_brokers_clock_is_set(ledger, pass_time, gone, step):
    well(ledger)
    pass_time(60)

    pass_time(step)
    for role in {CONTROL, OBJECTS, BEAT} - {gone}:
        pulse(ledger, role)
    move(ledger, *(("poll", "maintenance", "settle") if gone == BEAT else ()))

    roll = ledger.workers.list_processes()
    assert [role for role in ROLES if not roll.alive(role)] == [gone]
    assert ledger.workers.count_threads() == (0 if gone == OBJECTS else 8)
    kind = {CONTROL: "no-control-worker", OBJECTS: "no-object-worker", BEAT: "no-tick"}[gone]
    assert [each.kind for each in read_status(ledger).problems] == [kind]


@pytest.mark.parametrize("step", [-HOUR, -25.0])
def test_a_process_that_ends_before_the_brokers_clock_goes_back_is_not_alive_again(
    ledger, pass_time, step
):
    well(ledger)
    pass_time(step)
    pulse(ledger, OBJECTS, host="another")

    pass_time(31)
    pulse(ledger, OBJECTS, host="another")

    roll = ledger.workers.list_processes()
    assert [each.presence.host for each in roll.alive(OBJECTS)] == ["another"]
    assert roll.alive(CONTROL) == ()


def test_a_fleet_that_ended_is_not_alive_again_after_a_step_back(ledger, pass_time):
    well(ledger)
    pass_time(60)

    pass_time(-HOUR)

    found = read_status(ledger)
    assert [each.kind for each in found.problems] == [
        "no-control-worker",
        "no-object-worker",
        "no-tick",
    ]
    assert (found.workers, ledger.workers.count_threads()) == (0, 0)
    assert "since the broker's clock was set back" in found.problems[0].text


def test_a_brokers_clock_that_is_slewed_makes_no_process_dead(ledger, pass_time):
    well(ledger)

    pass_time(-9)

    assert read_status(ledger).state == "well"
