"""Temp files of the file sink: each try writes one of its own, which a rename makes final.

They lie in one folder, ``.tries``, so that those of dead tries are found without a search through
everything ever delivered.  A try holds a lock on its file for as long as it lives; one that is not
locked and was not written to for an hour has no owner on any host, and is removed.
"""

import contextlib
import fcntl
import fnmatch
import os
import secrets
import time
from pathlib import Path

from trailcourier.sinks.folders import Folder

TRIES = ".tries"
IDLE = 3600  # seconds; a forward without progress loses its claim after a fraction of that
BETWEEN_SWEEPS = 600


class Try:
    """One temp file, open, and how many of its bytes count; OSError passes through everything.

    It closes *folder*, which it lies in, with itself.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = f"{name}.tmp-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._name, flags, 0o640, dir_fd=folder.fd)
        self._size = 0
        lock(self._fd)
        self.born = os.fstat(self._fd).st_mtime

    @property
    def path(self) -> Path:
        """Where it lies, for people."""
        return Path(self._folder.path, self._name)

    def append(self, data: bytes) -> None:
        """Add all of *data*, or raise and count nothing of it: the next try overwrites it."""
        at, rest = self._size, memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, at)
            at, rest = at + written, rest[written:]
        self._size = at

    def place(self, target: Folder, name: str, *, sync: bool) -> None:
        """Make the file final, as *name* in *target*."""
        os.ftruncate(self._fd, self._size)
        if sync:
            os.fsync(self._fd)
        os.rename(self._name, name, src_dir_fd=self._folder.fd, dst_dir_fd=target.fd)
        self.close()
        if sync:
            target.sync()

    def close(self) -> None:
        self._folder.close()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def discard(self) -> None:
        """Let go of the file without a trace, if that can be had."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):  # what stays is removed by a later sweep
            os.unlink(self._name, dir_fd=self._folder.fd)
        with contextlib.suppress(OSError):  # some network filesystems report a late error here
            self.close()


class Tries:
    """The folder of temp files; used by all threads."""

    def __init__(self) -> None:
        self._sweep_due = 0.0  # monotonic

    def begin(self, root: Folder, name: str) -> Try:
        """Begin a temp file for *name* below the folder *root*."""
        folder, _ = root.inside(TRIES)
        try:
            one = Try(folder, name)
        except BaseException:
            folder.close()
            raise
        if time.monotonic() >= self._sweep_due:
            self._sweep_due = time.monotonic() + BETWEEN_SWEEPS
            # the file just made tells the filesystem's own time, which may differ from ours
            sweep(folder, before=one.born - IDLE)
        return one


def sweep(folder: Folder, *, before: float) -> None:
    """Remove the temp files last written to *before* (a time of the filesystem) and owned by none.

    What cannot be removed costs room, no records: it stays.
    """
    for name in fnmatch.filter(folder.names(), "*.tmp-*"):
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            if found.st_mtime < before and not in_use(folder, name):
                os.unlink(name, dir_fd=folder.fd)


def in_use(folder: Folder, name: str) -> bool:
    fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder.fd)
    try:
        return not lock(fd)
    finally:
        os.close(fd)


def lock(fd: int) -> bool:
    """Say whether nobody else holds *fd*'s file, and hold it.

    Where the filesystem has no locks the answer is yes, and age alone decides.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
