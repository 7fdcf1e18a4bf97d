"""The file that a process touches, and the command that looks at it."""

import os
import subprocess
import sys
import tempfile

import pytest

from tests.fleet import outdate
from trailcourier import heartbeat

HEAVY = ("typer", "pydantic", "rich", "redis", "msgspec", "structlog", "prometheus_client")


def healthcheck(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "trailcourier", "healthcheck", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def told(done):
    return [line for line in done.stderr.splitlines() if not line.startswith("import time:")]


def told_of(done):
    return "".join(told(done)).removeprefix("trailcourier: ")


def test_a_file_just_touched_is_well(tmp_path):
    file = tmp_path / "below" / "heartbeat"
    heartbeat.touch(file)

    done = healthcheck(str(file))

    assert (done.returncode, told(done)) == (0, [])


def test_a_health_check_imports_nothing_that_takes_time(tmp_path):
    heartbeat.touch(tmp_path / "heartbeat")

    done = healthcheck(str(tmp_path / "heartbeat"))

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "trailcourier.heartbeat" in imported
    assert imported.isdisjoint(HEAVY)


def test_a_file_not_touched_for_a_minute_is_not_well(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    outdate(file, 90)

    done = healthcheck(str(file))

    assert done.returncode == 1
    assert told(done) == [f"trailcourier: the last heartbeat at {file} was 90 s ago"]


def test_a_file_that_is_not_there_is_not_well(tmp_path):
    done = healthcheck(str(tmp_path / "none"))

    assert done.returncode == 1
    assert "No such file" in told(done)[0]


def test_touching_again_makes_it_well_again(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file, stuck="it is long, and stands still", away="away")
    unwell = heartbeat.trouble(file)

    heartbeat.touch(file)

    assert unwell == "it is long, and stands still"
    assert heartbeat.trouble(file) == ""


@pytest.mark.parametrize(
    ("told", "restart", "trouble"),
    [
        ({}, "", ""),
        ({"stuck": "it stands\nstill"}, "it stands still", "it stands still"),
        ({"away": "no broker"}, "", "no broker"),
        ({"stuck": "still", "away": "no broker"}, "still", "still"),
    ],
)
def test_what_must_be_restarted_is_told_from_what_only_waits(tmp_path, told, restart, trouble):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file, **told)

    assert (heartbeat.restart(file), heartbeat.trouble(file)) == (restart, trouble)
    done = healthcheck(str(file))
    assert (done.returncode, told_of(done)) == (1 if trouble else 0, trouble)


def test_a_heartbeat_of_before_the_machine_started_is_none(tmp_path, monkeypatch):
    file = tmp_path / "heartbeat"
    monkeypatch.setattr(heartbeat, "boot", lambda: "another-boot")
    heartbeat.touch(file)
    monkeypatch.undo()

    assert "from before this machine started" in heartbeat.trouble(file)


def test_a_heartbeat_of_the_future_is_none(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    outdate(file, -3600)

    assert healthcheck(str(file)).returncode == 1


def test_where_nobody_names_the_boot_the_clock_alone_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BOOT", tmp_path / "none")
    heartbeat.touch(tmp_path / "heartbeat")

    assert healthcheck(str(tmp_path / "heartbeat")).returncode == 0


@pytest.mark.parametrize("text", ["", "12.0", "a\nb\nc\nd\n", "1\n2\n\n\nmore\n"])
def test_a_file_that_is_no_heartbeat_is_none(tmp_path, text):
    file = tmp_path / "heartbeat"
    file.write_text(text)

    assert "the file holds something else" in heartbeat.trouble(file)


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """The folder of this user among everybody's temporary files, which is not there yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return heartbeat.folder()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_proves_nothing(shared, tmp_path, mode):
    heartbeat.touch(heartbeat.default())
    shared.chmod(mode)

    with pytest.raises(OSError, match="not this user's alone"):
        heartbeat.touch(heartbeat.default())
    done = healthcheck(TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert "not this user's alone" in told_of(done)


def test_a_link_in_the_place_of_the_folder_proves_nothing(shared, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    shared.symlink_to(tmp_path / "theirs")

    with pytest.raises(OSError, match="not this user's alone"):
        heartbeat.touch(heartbeat.default())
    assert healthcheck(TMPDIR=str(tmp_path)).returncode == 1


def test_a_folder_of_another_user_proves_nothing(shared, monkeypatch):
    heartbeat.touch(heartbeat.default())
    other = os.getuid() + 1
    shared.rename(shared.with_name(f"trailcourier-{other}"))
    monkeypatch.setattr(os, "getuid", lambda: other)

    assert "not this user's alone" in heartbeat.trouble(heartbeat.default())


def test_a_file_of_another_user_proves_nothing(tmp_path, monkeypatch):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)

    assert "the file is not this user's" in heartbeat.trouble(file)
    with pytest.raises(PermissionError):
        heartbeat.touch(file)


def test_without_a_file_it_asks_for_the_one_of_all_processes_of_this_user(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    heartbeat.touch(heartbeat.default())
    (tmp_path / "below").mkdir()

    assert healthcheck(TMPDIR=str(tmp_path)).returncode == 0
    assert healthcheck(TMPDIR=str(tmp_path / "below")).returncode == 1


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / "theirs").touch()
    (tmp_path / "heartbeat").symlink_to(tmp_path / "theirs")

    with pytest.raises(OSError, match="symbolic link"):
        heartbeat.touch(tmp_path / "heartbeat")


def test_two_files_are_a_mistake(capsys):
    assert heartbeat.check(["a", "b"]) == os.EX_USAGE
    assert "one file at most" in capsys.readouterr().err


def test_its_help_is_where_the_other_verbs_have_theirs():
    done = healthcheck("--help")

    assert done.returncode == 0
    assert "heartbeat" in done.stdout
