import errno
import fcntl
import os
import subprocess
import sys

import pytest

from trailcourier import child
from trailcourier.sinks import tries
from trailcourier.sinks.folders import opened
from trailcourier.sinks.tries import IDLE, Tries

OWNER = """
import sys
from pathlib import Path
from trailcourier.sinks.folders import opened
from trailcourier.sinks.tries import Try
one = Try(opened(Path(sys.argv[1]), trusting=False), "a.ndjson")
one.append(b"half")
print(one.path, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".tries"


@pytest.fixture
def root(tmp_path):
    with opened(tmp_path, trusting=False) as folder:
        yield folder


@pytest.fixture
def owner(folder):
    """Another process at work on a try of its own, and that try's file, long idle."""
    folder.mkdir()
    process = child.start(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    path = folder / os.path.basename(process.stdout.readline().decode().strip())  # noqa: PTH119
    age(path)
    yield process, path
    child.kill(process)


def leftover(folder, name="a.ndjson.tmp-0123456789abcdef", *, idle=IDLE + 60):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"half")
    age(path, idle)
    return path


def age(path, seconds=IDLE + 60):
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_each_try_has_a_name_of_its_own(root, folder):
    begun = [Tries().begin(root, "a.ndjson") for _ in range(5)]

    assert len({each.path for each in begun}) == 5
    assert all(each.path.name.startswith("a.ndjson.tmp-") for each in begun)
    for each in begun:
        each.discard()
    assert list(folder.iterdir()) == []


def test_what_a_dead_try_left_is_removed(root, folder):
    path = leftover(folder)

    one = Tries().begin(root, "b.ndjson")

    assert not path.exists()
    one.discard()


def test_a_file_written_to_a_while_ago_is_left(root, folder):
    path = leftover(folder, idle=IDLE - 60)

    Tries().begin(root, "b.ndjson").discard()

    assert path.exists()


def test_a_file_a_living_process_holds_is_left_however_old(root, folder, owner):
    _, path = owner

    Tries().begin(root, "b.ndjson").discard()

    assert path.exists()


def test_a_file_whose_process_was_killed_is_removed(root, folder, owner):
    process, path = owner
    child.kill(process)

    Tries().begin(root, "b.ndjson").discard()

    assert not path.exists()


def test_a_file_another_thread_holds_is_left_however_old(root, folder):
    other = Tries().begin(root, "a.ndjson")
    age(other.path)

    Tries().begin(root, "b.ndjson").discard()

    assert other.path.exists()
    other.discard()


def test_a_sweep_is_not_made_at_every_start(root, folder):
    begun = Tries()
    begun.begin(root, "a.ndjson").discard()
    path = leftover(folder)

    begun.begin(root, "b.ndjson").discard()

    assert path.exists()


def test_a_sweep_is_made_again_later(root, folder, monkeypatch):
    begun = Tries()
    begun.begin(root, "a.ndjson").discard()
    path = leftover(folder)
    now = tries.time.monotonic()
    monkeypatch.setattr(tries.time, "monotonic", lambda: now + tries.BETWEEN_SWEEPS + 1)

    begun.begin(root, "b.ndjson").discard()

    assert not path.exists()


def test_what_is_not_ours_is_left(root, folder):
    path = leftover(folder, "notes.txt")

    Tries().begin(root, "b.ndjson").discard()

    assert path.exists()


def test_what_cannot_be_removed_is_left_and_hinders_nothing(root, folder):
    (folder / "a.ndjson.tmp-folder").mkdir(parents=True)
    age(folder / "a.ndjson.tmp-folder")
    path = leftover(folder)

    Tries().begin(root, "b.ndjson").discard()

    assert not path.exists()


@pytest.mark.parametrize(("idle", "stays"), [(IDLE - 60, True), (IDLE + 60, False)])
def test_without_locks_age_alone_decides(root, folder, monkeypatch, idle, stays):
    def refuse(fd, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    path = leftover(folder, idle=idle)
    monkeypatch.setattr(fcntl, "flock", refuse)

    Tries().begin(root, "b.ndjson").discard()

    assert path.exists() is stays


def test_a_discarded_try_lets_go_of_its_descriptor(root, folder):
    one = Tries().begin(root, "a.ndjson")
    fd = one._fd

    one.discard()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_placed_try_lets_go_of_its_descriptor(root, folder, tmp_path):
    one = Tries().begin(root, "a.ndjson")
    fd = one._fd

    one.place(root, "a.ndjson", sync=False)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_try_swept_by_mistake_fails_and_leaves_nothing(root, folder, tmp_path):
    one = Tries().begin(root, "a.ndjson")
    one.path.unlink()

    with pytest.raises(FileNotFoundError):
        one.place(root, "a.ndjson", sync=True)
    one.discard()

    assert not (tmp_path / "a.ndjson").exists()
