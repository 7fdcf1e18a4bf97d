"""Who is at work, what moves, and by which configuration."""

import re

import pytest

from tests.support.unit_fleets import move, pulse, well
from tests.unit.ledger.conftest import admit, refs
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, ROLES


@pytest.fixture
def later(ledger, pass_time):
    """A fleet that was well, a minute ago."""
    well(ledger)
    pass_time(60)


def told(said):
    return {id_: level for id_, level in said.levels.items() if id_ in {"TC807", "TC808", "TC809"}}


def test_a_broker_that_no_fleet_used_is_no_error(doctor):
    said = doctor()

    assert said.code == 0
    assert told(said) == {"TC807": "not-checked"}
    assert "no process has ever written a heartbeat" in said.one("TC807").text
    assert "trailcourier run" in said.one("TC807").fix


@pytest.mark.parametrize(
    ("gone", "said_of_it"),
    [
        (CONTROL, ("No control worker since ", "-Q control")),
        (OBJECTS, ("No object worker since ", "-Q objects")),
        (BEAT, ("No tick since ", "-A beat beat")),
    ],
)
@pytest.mark.usefixtures("later")
def test_a_silent_process_is_an_error(doctor, ledger, gone, said_of_it):
    text, fix = said_of_it
    for role in set(ROLES) - {gone}:
        pulse(ledger, role)
    move(ledger, *(["poll", "settle", "maintenance"] if gone == BEAT else ["tick"]))
    if gone == OBJECTS:
        move(ledger)

    said = doctor()

    assert (said.code, said.errors) == (1, ["TC807"])
    assert said.one("TC807").text.startswith(text)
    assert re.search(r"\(\d\d s\)", said.one("TC807").text)
    assert fix in said.one("TC807").fix
    assert told(said)["TC808"] == "not-checked"


@pytest.mark.parametrize("step", ["poll", "settle", "maintenance"])
def test_a_step_without_progress_is_an_error(doctor, ledger, later, step):
    for role in ROLES:
        pulse(ledger, role)
    move(ledger, *({"tick", "poll", "settle", "maintenance"} - {step}))

    said = doctor()

    assert said.errors == ["TC808"]
    assert said.one("TC808").text.startswith(f"No {step} since ")
    assert "control@host/7 on host" in said.one("TC808").fix


def test_objects_that_nobody_takes_are_an_error(doctor, ledger, pass_time):
    admit(ledger, "m1", refs("a"))
    pass_time(60)
    well(ledger)

    assert doctor().errors == ["TC808"]


def test_a_second_configuration_is_an_error(doctor, ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="0ther")

    said = doctor()

    assert said.errors == ["TC809"]
    assert "0ther on objects@b/7 on b" in said.one("TC809").text


def test_two_versions_are_a_warning(doctor, ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="0ther", version="0.2.0")

    said = doctor()

    assert (said.code, said.errors) == (0, [])
    assert [each.level for each in said.of("TC809")] == ["warning"]
    assert "0.2.0 on objects@b/7 on b" in said.one("TC809").text


def test_a_clock_of_the_fleet_that_is_off_is_a_warning_with_its_host(doctor, ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", ahead=-25.0)

    said = doctor()

    assert said.code == 0
    assert [each.level for each in said.of("TC805")] == ["ok", "warning"]
    assert said.of("TC805")[1].text == ("objects@b/7 on b: its clock is 25 s behind the broker's")


def test_a_broker_that_is_down_is_the_only_error(doctor, ledger, later, monkeypatch):
    monkeypatch.setenv("BROKER", "redis://127.0.0.1:1/0")

    said = doctor()

    assert said.errors == ["TC801"]
    assert told(said) == {"TC807": "not-checked"}
