import errno
import fcntl
import os
import subprocess
import sys

import pytest

from trailcourier.host import child_process
from trailcourier.sinks import temp_files
from trailcourier.sinks.folders import open_folder
from trailcourier.sinks.temp_files import MAX_IDLE, TempFiles

OWNER = """
import sys
from pathlib import Path
from trailcourier.sinks.folders import open_folder
from trailcourier.sinks.temp_files import TempFile
one = TempFile(open_folder(Path(sys.argv[1]), trusting=False), "a.ndjson")
one.append(b"half")
print(one.path, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".tries"


@pytest.fixture
def root(tmp_path):
    with open_folder(tmp_path, trusting=False) as folder:
        yield folder


@pytest.fixture
def owner(folder):
    """A process with an open temp file, and the path of the file, which is long idle."""
    folder.mkdir()
    process = child_process.start(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    path = folder / os.path.basename(process.stdout.readline().decode().strip())  # noqa: PTH119
    age(path)
    yield process, path
    child_process.kill(process)


def leftover(folder, name="a.ndjson.tmp-0123456789abcdef", *, idle=MAX_IDLE + 60):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"half")
    age(path, idle)
    return path


def age(path, seconds=MAX_IDLE + 60):
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_each_try_has_its_own_name(root, folder):
    begun = [TempFiles().create(root, "a.ndjson") for _ in range(5)]

    assert len({each.path for each in begun}) == 5
    assert all(each.path.name.startswith("a.ndjson.tmp-") for each in begun)
    for each in begun:
        each.discard()
    assert list(folder.iterdir()) == []


def test_the_file_of_a_dead_try_is_removed(root, folder):
    path = leftover(folder)

    one = TempFiles().create(root, "b.ndjson")

    assert not path.exists()
    one.discard()


def test_a_recent_file_is_kept(root, folder):
    path = leftover(folder, idle=MAX_IDLE - 60)

    TempFiles().create(root, "b.ndjson").discard()

    assert path.exists()


def test_an_old_file_that_a_live_process_has_locked_is_kept(root, folder, owner):
    _, path = owner

    TempFiles().create(root, "b.ndjson").discard()

    assert path.exists()


def test_a_file_whose_process_was_killed_is_removed(root, folder, owner):
    process, path = owner
    child_process.kill(process)

    TempFiles().create(root, "b.ndjson").discard()

    assert not path.exists()


def test_an_old_file_that_another_thread_has_locked_is_kept(root, folder):
    other = TempFiles().create(root, "a.ndjson")
    age(other.path)

    TempFiles().create(root, "b.ndjson").discard()

    assert other.path.exists()
    other.discard()


def test_not_every_new_file_starts_a_sweep(root, folder):
    begun = TempFiles()
    begun.create(root, "a.ndjson").discard()
    path = leftover(folder)

    begun.create(root, "b.ndjson").discard()

    assert path.exists()


def test_the_sweep_is_repeated_after_its_interval(root, folder, monkeypatch):
    begun = TempFiles()
    begun.create(root, "a.ndjson").discard()
    path = leftover(folder)
    now = temp_files.time.monotonic()
    monkeypatch.setattr(temp_files.time, "monotonic", lambda: now + temp_files.SWEEP_INTERVAL + 1)

    begun.create(root, "b.ndjson").discard()

    assert not path.exists()


def test_other_files_are_kept(root, folder):
    path = leftover(folder, "notes.txt")

    TempFiles().create(root, "b.ndjson").discard()

    assert path.exists()


def test_a_file_that_cannot_be_removed_does_not_stop_the_sweep(root, folder):
    (folder / "a.ndjson.tmp-folder").mkdir(parents=True)
    age(folder / "a.ndjson.tmp-folder")
    path = leftover(folder)

    TempFiles().create(root, "b.ndjson").discard()

    assert not path.exists()


@pytest.mark.parametrize(("idle", "stays"), [(MAX_IDLE - 60, True), (MAX_IDLE + 60, False)])
def test_without_locks_age_alone_decides(root, folder, monkeypatch, idle, stays):
    def refuse(fd, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    path = leftover(folder, idle=idle)
    monkeypatch.setattr(fcntl, "flock", refuse)

    TempFiles().create(root, "b.ndjson").discard()

    assert path.exists() is stays


def test_a_discarded_file_closes_its_descriptor(root, folder):
    one = TempFiles().create(root, "a.ndjson")
    fd = one._fd

    one.discard()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_renamed_file_closes_its_descriptor(root, folder, tmp_path):
    one = TempFiles().create(root, "a.ndjson")
    fd = one._fd

    one.place(root, "a.ndjson", sync=False)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_file_removed_by_mistake_fails_and_leaves_nothing(root, folder, tmp_path):
    one = TempFiles().create(root, "a.ndjson")
    one.path.unlink()

    with pytest.raises(FileNotFoundError):
        one.place(root, "a.ndjson", sync=True)
    one.discard()

    assert not (tmp_path / "a.ndjson").exists()
