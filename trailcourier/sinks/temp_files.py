"""Temp files of the file sink: each try writes its own, and a rename makes it final.

They lie in one folder, ``.tries``, so that files of dead workers are found without a search through
all delivered files.  A try keeps a lock on its file.  A file that is not locked and was not written
to for an hour has no owner on any host, and is removed.
"""

import contextlib
import fcntl
import fnmatch
import os
import secrets
import time
from pathlib import Path

from trailcourier.sinks.folders import Folder

FOLDER_NAME = ".tries"
MAX_IDLE = 3600  # seconds; a forward without progress loses its claim after a fraction of that
SWEEP_INTERVAL = 600  # seconds


class TempFile:
    """One open temp file, and how many of its bytes are valid; methods raise OSError.

    Closing it also closes *folder*, in which it lies.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = f"{name}.tmp-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._name, flags, 0o640, dir_fd=folder.fd)
        self._size = 0
        try_lock(self._fd)
        self.created_at = os.fstat(self._fd).st_mtime

    @property
    def path(self) -> Path:
        """Its path, for messages."""
        return Path(self._folder.path, self._name)

    def append(self, data: bytes) -> None:
        """Append all of *data*; if it raises, the next call overwrites what was written of it."""
        at, rest = self._size, memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, at)
            at, rest = at + written, rest[written:]
        self._size = at

    def place(self, target: Folder, name: str, *, sync: bool) -> None:
        """Make the file final: rename it to *name* in *target*; with *sync* wait for the disk."""
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
        """Remove the file if possible, and close it; never raises."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):  # a later sweep removes it
            os.unlink(self._name, dir_fd=self._folder.fd)
        with contextlib.suppress(OSError):  # some network filesystems report a late error here
            self.close()


class TempFiles:
    """Creates temp files and removes abandoned ones; used by all threads."""

    def __init__(self) -> None:
        self._sweep_due = 0.0  # monotonic

    def create(self, root: Folder, name: str) -> TempFile:
        """Create a temp file for *name* below the folder *root*."""
        folder, _ = root.open_or_create(FOLDER_NAME)
        try:
            temp_file = TempFile(folder, name)
        except BaseException:
            folder.close()
            raise
        if time.monotonic() >= self._sweep_due:
            self._sweep_due = time.monotonic() + SWEEP_INTERVAL
            # the new file has the time of the filesystem, which may differ from this host's
            sweep(folder, before=temp_file.created_at - MAX_IDLE)
        return temp_file


def sweep(folder: Folder, *, before: float) -> None:
    """Remove the temp files last written to *before*, a time of the filesystem, and not locked.

    A file that cannot be removed stays: it costs room, but no records.
    """
    for name in fnmatch.filter(folder.names(), "*.tmp-*"):
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
            if found.st_mtime < before and not in_use(folder, name):
                os.unlink(name, dir_fd=folder.fd)


def in_use(folder: Folder, name: str) -> bool:
    """Whether another process has the lock on the file *name* in *folder*."""
    fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder.fd)
    try:
        return not try_lock(fd)
    finally:
        os.close(fd)


def try_lock(fd: int) -> bool:
    """Lock the file of *fd*; False if another process has the lock.

    Returns True on a filesystem without locks: there the age of the file alone decides.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
