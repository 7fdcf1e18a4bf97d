"""Standard output: one record a line, for a pipe, a container's log or a file.

Delivery: at least once.  A batch counts as accepted when the kernel took it; what reads the other
end may still lose it.  Workers that share one output take turns, so their lines do not mix.
"""

import errno
import fcntl
import os
import select
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field

from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import Origin
from trailcourier.sinks.faults import fault
from trailcourier.sinks.terms import Terms

FD = 1
_OPEN_LINE, _WHOLE = b"1", b"0"


class Stdout(Terms):
    """Write each record as a line to the worker's standard output."""

    type: Literal["stdout"]
    timeout_seconds: float = Field(
        20, gt=0, le=60, description="time one batch may take while the reader is slow"
    )

    def open(self, name: str, egress: Egress) -> "StdoutSink":
        """Open it; *egress* matters to sinks beyond this host."""
        del egress
        return StdoutSink(name, self)


class StdoutSink:
    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, config: Stdout) -> None:
        self.name = name
        self._timeout = config.timeout_seconds

    def start(self, origin: Origin) -> "StdoutSink":
        """Begin nothing: all objects go the same way, whatever their *origin*."""
        del origin
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        if not batch:
            return
        deadline = time.monotonic() + self._timeout
        try:
            with _turn(deadline) as lock:
                _write_lines(lock, b"\n".join(batch) + b"\n", deadline)
        except TimeoutError as error:
            detail = f"stdout had no room for {self._timeout:g} s; see what reads it"
            raise Fault("sink-busy", detail, where=self.name) from error
        except OSError as error:
            raise fault(error, sink=self.name, doing="write to", path="stdout") from error

    def finish(self) -> None:
        """Do nothing: each batch was final."""

    def drop(self) -> None:
        """Do nothing: what was written cannot be taken back."""

    def close(self) -> None:
        """Do nothing: standard output is not ours to close."""


@contextmanager
def _turn(deadline: float) -> Iterator[int]:
    """Hold stdout against every other writer of this user's; gives the lock's descriptor.

    The lock is opened each time, so that threads exclude each other as processes do, and a forked
    child shares nothing with its parent.
    """
    lock = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while not _locked(lock):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.002)
        yield lock
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # closing would not do while a forked child has a copy
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path() -> Path:
    """Name the lock after what stdout is, in a folder that only this user can enter."""
    folder = Path(tempfile.gettempdir()) / f"trailcourier-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder of ours alone; remove it")
    output = os.fstat(FD)
    return folder / f"stdout-{output.st_dev:x}-{output.st_ino:x}.lock"


def _write_lines(lock: int, lines: bytes, deadline: float) -> None:
    """Write whole *lines*; the lock file remembers a line that a writer did not live to end."""
    if os.pread(lock, 1, 0) == _OPEN_LINE:
        lines = b"\n" + lines
    os.pwrite(lock, _OPEN_LINE, 0)
    _write(lines, deadline)
    os.pwrite(lock, _WHOLE, 0)


def _write(data: bytes, deadline: float) -> None:
    # A write no larger than PIPE_BUF does not wait once select says there is room, even on a
    # blocking pipe; O_NONBLOCK would be set for everybody who shares the descriptor.
    step = len(data) if stat.S_ISREG(os.fstat(FD).st_mode) else select.PIPE_BUF
    rest = memoryview(data)
    while rest:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([], [FD], [], left)[1]:
            raise TimeoutError
        try:
            rest = rest[os.write(FD, rest[:step]) :]
        except BlockingIOError:  # a descriptor somebody made non-blocking, and less room than that
            time.sleep(0.002)
