"""The heartbeat file, and the command that reads it."""

import os
import subprocess
import sys
import tempfile

import pytest

from tests.support.fleet import outdate
from trailcourier.observability import heartbeat

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


def lines(done):
    return [line for line in done.stderr.splitlines() if not line.startswith("import time:")]


def message(done):
    return "".join(lines(done)).removeprefix("trailcourier: ")


def test_a_fresh_file_is_healthy(tmp_path):
    file = tmp_path / "below" / "heartbeat"
    heartbeat.touch(file)

    done = healthcheck(str(file))

    assert (done.returncode, lines(done)) == (0, [])


def test_a_health_check_imports_nothing_slow(tmp_path):
    heartbeat.touch(tmp_path / "heartbeat")

    done = healthcheck(str(tmp_path / "heartbeat"))

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "trailcourier.observability.heartbeat" in imported
    assert imported.isdisjoint(HEAVY)


def test_a_file_older_than_a_minute_is_unhealthy(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    outdate(file, 90)

    done = healthcheck(str(file))

    assert done.returncode == 1
    assert lines(done) == [f"trailcourier: the last heartbeat at {file} was 90 s ago"]


def test_a_missing_file_is_unhealthy(tmp_path):
    done = healthcheck(str(tmp_path / "none"))

    assert done.returncode == 1
    assert "No such file" in lines(done)[0]


def test_the_next_heartbeat_makes_it_healthy_again(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file, stuck="it is long, and is stuck", away="away")
    unwell = heartbeat.trouble(file)

    heartbeat.touch(file)

    assert unwell == "it is long, and is stuck"
    assert heartbeat.trouble(file) == ""


@pytest.mark.parametrize(
    ("state", "restart", "trouble"),
    [
        ({}, "", ""),
        ({"stuck": "it is\nstuck"}, "it is stuck", "it is stuck"),
        ({"away": "no broker"}, "", "no broker"),
        ({"stuck": "still", "away": "no broker"}, "still", "still"),
    ],
)
def test_stuck_needs_a_restart_and_away_does_not(tmp_path, state, restart, trouble):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file, **state)

    assert (heartbeat.restart(file), heartbeat.trouble(file)) == (restart, trouble)
    done = healthcheck(str(file))
    assert (done.returncode, message(done)) == (1 if trouble else 0, trouble)


def test_a_heartbeat_from_before_this_boot_is_invalid(tmp_path, monkeypatch):
    file = tmp_path / "heartbeat"
    monkeypatch.setattr(heartbeat, "boot", lambda: "another-boot")
    heartbeat.touch(file)
    monkeypatch.undo()

    assert "from before this machine started" in heartbeat.trouble(file)


def test_a_heartbeat_from_the_future_is_invalid(tmp_path):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    outdate(file, -3600)

    assert healthcheck(str(file)).returncode == 1


def test_without_a_boot_id_the_clock_alone_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BOOT", tmp_path / "none")
    heartbeat.touch(tmp_path / "heartbeat")

    assert healthcheck(str(tmp_path / "heartbeat")).returncode == 0


@pytest.mark.parametrize("text", ["", "12.0", "a\nb\nc\nd\n", "1\n2\n\n\nmore\n"])
def test_a_file_with_other_content_is_invalid(tmp_path, text):
    file = tmp_path / "heartbeat"
    file.write_text(text)

    assert "the file has other content" in heartbeat.trouble(file)


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """This user's folder below the temporary directory, which does not exist yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return heartbeat.folder()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(shared, tmp_path, mode):
    heartbeat.touch(heartbeat.default())
    shared.chmod(mode)

    with pytest.raises(OSError, match="does not belong to this user alone"):
        heartbeat.touch(heartbeat.default())
    done = healthcheck(TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert "does not belong to this user alone" in message(done)


def test_a_link_in_place_of_the_folder_is_refused(shared, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    shared.symlink_to(tmp_path / "theirs")

    with pytest.raises(OSError, match="does not belong to this user alone"):
        heartbeat.touch(heartbeat.default())
    assert healthcheck(TMPDIR=str(tmp_path)).returncode == 1


def test_a_folder_of_another_user_is_refused(shared, monkeypatch):
    heartbeat.touch(heartbeat.default())
    other = os.getuid() + 1
    shared.rename(shared.with_name(f"trailcourier-{other}"))
    monkeypatch.setattr(os, "getuid", lambda: other)

    assert "does not belong to this user alone" in heartbeat.trouble(heartbeat.default())


def test_a_file_of_another_user_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "heartbeat"
    heartbeat.touch(file)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)

    assert "the file is not this user's" in heartbeat.trouble(file)
    with pytest.raises(PermissionError):
        heartbeat.touch(file)


def test_without_a_file_it_checks_the_default_of_this_user(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    heartbeat.touch(heartbeat.default())
    (tmp_path / "below").mkdir()

    assert healthcheck(TMPDIR=str(tmp_path)).returncode == 0
    assert healthcheck(TMPDIR=str(tmp_path / "below")).returncode == 1


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / "theirs").touch()
    (tmp_path / "heartbeat").symlink_to(tmp_path / "theirs")

    with pytest.raises(OSError, match="symbolic link"):
        heartbeat.touch(tmp_path / "heartbeat")


def test_two_files_are_a_usage_error(capsys):
    assert heartbeat.check(["a", "b"]) == os.EX_USAGE
    assert "one file at most" in capsys.readouterr().err


def test_it_has_a_help_like_other_verbs():
    done = healthcheck("--help")

    assert done.returncode == 0
    assert "heartbeat" in done.stdout
