"""A folder among the temporary files for one run, removed with it, or by the next if it was killed.

The run, and every child that was given the folder's descriptor, holds a lock on the folder itself.
Who gets that lock knows that all of them are gone, however they went; a process id would say less,
for another process may have it by now.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec


class Scratch(msgspec.Struct, frozen=True):
    """The folder, and the descriptor that keeps it, to be given to children that write there."""

    path: Path
    lock: int


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A new folder that this user alone can enter, for as long as the block lasts."""
    sweep()
    made = _made()
    try:
        yield made
    finally:
        # a child that ends last may still write there
        shutil.rmtree(made.path, ignore_errors=True)
        os.close(made.lock)


def sweep() -> None:
    """Remove the folders of this user's runs that were killed, and whose children have ended."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as there:
        for each in there:
            if each.name.startswith(_prefix()):
                with suppress(OSError):  # another run's sweep was faster
                    _remove(Path(each.path))


def _prefix() -> str:
    return f"trailcourier-{os.getuid()}-run-"


def _made() -> Scratch:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_prefix()))
        try:
            lock = _open(path)
        except FileNotFoundError:  # a sweep found it before it was locked
            continue
        if _locked(lock) and _is_still(path, lock):
            return Scratch(path, lock)
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return
    lock = _open(path)
    try:
        if _locked(lock):
            shutil.rmtree(path)
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(lock))
    except FileNotFoundError:
        return False
