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


def fleet_levels(report):
    return {
        id_: level for id_, level in report.levels.items() if id_ in {"TC807", "TC808", "TC809"}
    }


def test_a_broker_that_no_fleet_used_is_no_error(doctor):
    report = doctor()

    assert report.code == 0
    assert fleet_levels(report) == {"TC807": "not-checked"}
    assert "no process has ever written a heartbeat" in report.one("TC807").text
    assert "trailcourier run" in report.one("TC807").fix


@pytest.mark.parametrize(
    ("gone", "text_and_fix"),
    [
        (CONTROL, ("No control worker since ", "-Q control")),
        (OBJECTS, ("No object worker since ", "-Q objects")),
        (BEAT, ("No tick since ", "-A beat beat")),
    ],
)
@pytest.mark.usefixtures("later")
def test_a_silent_process_is_an_error(doctor, ledger, gone, text_and_fix):
    text, fix = text_and_fix
    for role in set(ROLES) - {gone}:
        pulse(ledger, role)
    move(ledger, *(["poll", "settle", "maintenance"] if gone == BEAT else ["tick"]))
    if gone == OBJECTS:
        move(ledger)

    report = doctor()

    assert (report.code, report.errors) == (1, ["TC807"])
    assert report.one("TC807").text.startswith(text)
    assert re.search(r"\(\d\d s\)", report.one("TC807").text)
    assert fix in report.one("TC807").fix
    assert fleet_levels(report)["TC808"] == "not-checked"


@pytest.mark.parametrize("step", ["poll", "settle", "maintenance"])
def test_a_step_without_progress_is_an_error(doctor, ledger, later, step):
    for role in ROLES:
        pulse(ledger, role)
    move(ledger, *({"tick", "poll", "settle", "maintenance"} - {step}))

    report = doctor()

    assert report.errors == ["TC808"]
    assert report.one("TC808").text.startswith(f"No {step} since ")
    assert "control@host/7 on host" in report.one("TC808").fix


def test_objects_that_nobody_takes_are_an_error(doctor, ledger, pass_time):
    admit(ledger, "m1", refs("a"))
    pass_time(60)
    well(ledger)

    assert doctor().errors == ["TC808"]


def test_a_second_configuration_is_an_error(doctor, ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="0ther")

    report = doctor()

    assert report.errors == ["TC809"]
    assert "0ther on objects@b/7 on b" in report.one("TC809").text


def test_two_versions_are_a_warning(doctor, ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="0ther", version="0.2.0")

    report = doctor()

    assert (report.code, report.errors) == (0, [])
    assert [each.level for each in report.of("TC809")] == ["warning"]
    assert "0.2.0 on objects@b/7 on b" in report.one("TC809").text


def test_a_clock_of_the_fleet_that_is_off_is_a_warning_with_its_host(doctor, ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", ahead=-25.0)

    report = doctor()

    assert report.code == 0
    assert [each.level for each in report.of("TC805")] == ["ok", "warning"]
    assert report.of("TC805")[1].text == ("objects@b/7 on b: its clock is 25 s behind the broker's")


def test_a_broker_that_is_down_is_the_only_error(doctor, ledger, later, monkeypatch):
    monkeypatch.setenv("BROKER", "redis://127.0.0.1:1/0")

    report = doctor()

    assert report.errors == ["TC801"]
    assert fleet_levels(report) == {"TC807": "not-checked"}
