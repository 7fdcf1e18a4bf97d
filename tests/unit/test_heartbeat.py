"""The file that a process touches, and the command that looks at it."""

import os
import subprocess
import sys
import tempfile
import time

import pytest

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
    old = time.time() - 90
    os.utime(file, (old, old))

    done = healthcheck(str(file))

    assert done.returncode == 1
    assert told(done) == [f"trailcourier: the last heartbeat at {file} was 90 s ago"]


def test_a_file_that_is_not_there_is_not_well(tmp_path):
    done = healthcheck(str(tmp_path / "none"))

    assert done.returncode == 1
    assert "No such file" in told(done)[0]


def test_touching_again_makes_it_well_again(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    os.utime(file, (0, 0))

    heartbeat.touch(file)

    assert heartbeat.trouble(file) == ""


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
