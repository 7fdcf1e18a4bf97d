"""Creates a temporary folder for one run, and removes folders of runs that were killed.

The run, and every child that inherits the folder's descriptor, holds a lock on the folder.  A
process that gets the lock knows that all of them have ended.  A process id would prove less,
because another process may have the same id later.
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


class TempFolder(msgspec.Struct, frozen=True):
    """The folder, and the descriptor of its lock, for children that write there."""

    path: Path
    lock: int


@contextmanager
def create() -> Iterator[TempFolder]:
    """Yield a new folder that only this user can enter; remove it after the block."""
    sweep()
    folder = _create()
    try:
        yield folder
    finally:
        # a child that has not ended yet may still write there
        shutil.rmtree(folder.path, ignore_errors=True)
        os.close(folder.lock)


def sweep() -> None:
    """Remove the folders of this user's runs that ended without removing them."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as there:
        for each in there:
            if each.name.startswith(_prefix()):
                with suppress(OSError):  # another run removed it first
                    _remove(Path(each.path))


def _prefix() -> str:
    return f"trailcourier-{os.getuid()}-run-"


def _create() -> TempFolder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_prefix()))
        try:
            lock = _open(path)
        except FileNotFoundError:  # another run's sweep removed it before it was locked
            continue
        if _try_lock(lock) and _is_at(path, lock):
            return TempFolder(path, lock)
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return
    lock = _open(path)
    try:
        if _try_lock(lock):
            shutil.rmtree(path)
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(lock))
    except FileNotFoundError:
        return False
