"""The systemd units: what systemd says of them, and whether they start what ``run`` starts."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import found
from trailcourier.cli.exits import Exit
from trailcourier.host.specs import process_specs
from trailcourier.observability import heartbeat
from trailcourier.worker.presence import INTERVAL

UNITS = Path(__file__).parents[2] / "deploy/systemd"
SERVICES = sorted(UNITS.glob("*.service"))
FLEET = [path for path in SERVICES if path.name != "trailcourier@.service"]
INSTALLED = "/opt/trailcourier/bin"
EXPOSURE = 2.0  # of 10; "OK" begins at 5


def unit_settings(path: Path) -> dict[str, list[str]]:
    """Every setting of a unit, in its order."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"(?m)^(\w+)=(.*)$", path.read_text()):
        found.setdefault(name, []).append(value)
    return found


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in paths])


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the units, whose programs are there; instances where a unit is a template."""
    folder = tmp_path_factory.mktemp("units")
    for program in ("celery", "trailcourier"):
        (folder / program).write_text("#!/bin/sh\n")
        (folder / program).chmod(0o755)
    for path in [*SERVICES, *UNITS.glob("*.target")]:
        unit = path.read_text().replace(INSTALLED, str(folder))
        (folder / path.name.replace("@.", "@9464.")).write_text(unit)
    return folder


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [found("systemd-analyze", "systemd"), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_systemd_has_nothing_to_say_against_them(installed):
    units = [path for path in installed.iterdir() if path.suffix in {".service", ".target"}]

    analysis = analyze("verify", *units)

    assert len(units) == len(SERVICES) + 1
    # an unknown setting is a line on standard error, and no failure
    assert (analysis.returncode, analysis.stderr) == (0, "")


@each(SERVICES)
def test_a_unit_is_exposed_to_little(path, installed):
    unit = installed / path.name.replace("@.", "@9464.")

    analysis = analyze("security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", unit)

    assert analysis.returncode == 0, analysis.stdout
    assert "Overall exposure level" in analysis.stdout


def test_what_holds_for_one_unit_holds_for_all():
    def common(path: Path) -> str:
        text = path.read_text()
        return text[text.index("# isolation: ") : text.index("[Install]")]

    assert len({common(path) for path in SERVICES}) == 1


@each(SERVICES)
def test_a_wrong_configuration_is_not_tried_again_and_all_else_is(path):
    unit = unit_settings(path)

    assert unit["Restart"] == ["on-failure"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    prevented = {int(status) for status in unit["RestartPreventExitStatus"][0].split()}
    assert prevented == {Exit.USAGE, Exit.CONFIG}


@each(SERVICES)
def test_a_unit_has_time_to_stop_and_a_bound_on_memory(path):
    unit = unit_settings(path)

    assert int(unit["TimeoutStopSec"][0]) >= max(each.grace for each in process_specs(processes=1))
    assert unit["KillMode"] == ["mixed"]
    assert unit["MemoryMax"]
    assert unit["User"] == ["trailcourier"]


@pytest.mark.parametrize("member", process_specs(processes=1), ids=lambda member: member.role)
def test_a_worker_is_started_as_run_starts_it(member):
    (path,) = UNITS.glob(f"trailcourier-{member.role}*.service")
    argv = list(member.argv)
    expected = argv[argv.index("-q") :]

    (line,) = unit_settings(path)["ExecStart"]
    program, *arguments = shlex.split(line.replace("-%i", "-1").replace("%%", "%"))

    assert program == f"{INSTALLED}/celery"
    assert arguments == expected


@each(FLEET)
def test_what_is_secret_is_handed_over_as_a_file(path):
    unit = unit_settings(path)
    handed = {each.partition(":")[0] for each in unit["LoadCredential"]}

    used = set(re.findall(r"%d/([\w-]+)", path.read_text()))
    assert used == handed
    assert "broker-url" in handed
    assert "EnvironmentFile" not in unit


def test_workers_of_one_host_are_watched_at_ports_of_their_own():
    ports = [
        value.partition("METRICS_PORT=")[2]
        for path in FLEET
        for value in unit_settings(path)["Environment"]
        if "METRICS_PORT" in value
    ]

    assert sorted(ports) == ["%i", "9463"]


BEATING = [path for path in SERVICES if path.name != "trailcourier-flower.service"]


@each(BEATING)
def test_a_unit_that_stands_still_is_started_again(path):
    unit = unit_settings(path)

    assert int(unit["WatchdogSec"][0]) >= heartbeat.FRESH + 2 * INTERVAL
    assert unit["NotifyAccess"] == ["main"]  # `run` speaks for its children
    assert unit["Restart"] == ["on-failure"]  # a watchdog's end is a failure


@each(BEATING)
def test_a_units_heartbeat_is_outside_its_private_tmp(path):
    unit = unit_settings(path)
    (folder,) = unit["RuntimeDirectory"]

    assert f"TRAILCOURIER_WORKERS__HEARTBEAT_FILE=%t/{folder}/heartbeat" in unit["Environment"]


def test_no_two_units_share_a_heartbeat():
    folders = [unit_settings(path)["RuntimeDirectory"][0] for path in BEATING]

    assert len(set(folders)) == len(folders)
    assert all(
        ("@" in path.name) == ("%i" in name) for path, name in zip(BEATING, folders, strict=True)
    )
