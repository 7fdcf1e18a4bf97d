"""The temporary folder of a run: removed with the run, or by the next one."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from trailcourier.host import temp_folder

HOLD = """
import os, sys
from trailcourier.host import temp_folder
with temp_folder.create() as made:
    (made.path / "counts.db").touch()
    print(made.path, made.lock, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def another(temporary):
    """A run in another process; it ends when it is killed or its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.folder = process.stdout.readline().split()[0]
        yield process
        process.kill()


def test_a_run_that_ends_removes_its_folder(temporary):
    with temp_folder.create() as made:
        (made.path / "counts.db").touch()
        assert made.path.stat().st_mode & 0o777 == 0o700

    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_run_that_was_killed_is_removed_by_the_next(temporary, another):
    another.send_signal(signal.SIGKILL)
    another.wait(10)
    assert [str(each) for each in temporary.iterdir()] == [another.folder]

    with temp_folder.create() as made:
        assert list(temporary.iterdir()) == [made.path]


def test_the_folder_of_another_run_stays(temporary, another):
    with temp_folder.create() as made:
        assert {str(each) for each in temporary.iterdir()} == {str(made.path), another.folder}


def test_a_folder_stays_as_long_as_a_child_of_its_run_lives(temporary):
    with temp_folder.create() as made:
        held = os.dup(made.lock)
        (made.path / "counts.db").touch()
        os.close(made.lock)
        temp_folder.sweep()
        assert (made.path / "counts.db").exists()

        os.close(held)
        temp_folder.sweep()
        assert not made.path.exists()
        os.open(os.devnull, os.O_RDONLY)  # the descriptor that is closed at the end


def test_a_file_of_such_a_name_stays(temporary):
    name = f"trailcourier-{os.getuid()}-run-"
    (temporary / f"{name}file").touch()
    (temporary / "theirs").mkdir()
    (temporary / f"{name}link").symlink_to(temporary / "theirs")
    (temporary / "trailcourier-demo-x").mkdir()

    temp_folder.sweep()

    assert len(list(temporary.iterdir())) == 4


def test_the_folder_of_another_user_stays(temporary, monkeypatch):
    folder = temporary / f"trailcourier-{os.getuid() + 1}-run-x"
    folder.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)

    temp_folder.sweep()

    assert folder.exists()


def test_a_sweep_between_creation_and_locking_leads_to_another_name(temporary, monkeypatch):
    made, times = tempfile.mkdtemp, []

    def swept(**more):
        path = made(**more)
        times.append(path)
        if len(times) == 1:
            temp_folder.sweep()
            assert not Path(path).exists()
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", swept)
    with temp_folder.create() as found:
        assert str(found.path) == times[-1]
    assert len(times) == 2
