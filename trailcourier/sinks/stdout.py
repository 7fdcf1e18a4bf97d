"""The stdout sink: one record per line, for a pipe, a container's log or a file.

Delivery: at least once.  A batch is accepted when the kernel has all of it; the program that reads
the other end may still lose it.  Workers that share one output take turns, so that their lines do
not mix.
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

from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import Origin
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.faults import translate_os_error

FD = 1
_LINE_UNFINISHED, _LINE_FINISHED = b"1", b"0"  # the content of the lock file


class Stdout(DeliverySettings):
    """Write each record as a line to the worker's standard output."""

    type: Literal["stdout"]
    timeout_seconds: float = Field(
        20, gt=0, le=60, description="time one batch may take when the reader is slow"
    )

    def open(self, name: str, network: Network) -> "StdoutSink":
        """Open the sink; it connects to nothing, so *network* is not used."""
        del network
        return StdoutSink(name, self)


class StdoutSink:
    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, config: Stdout) -> None:
        self.name = name
        self._timeout = config.timeout_seconds

    def start(self, origin: Origin) -> "StdoutSink":
        """Return this sink: its deliveries need no state."""
        del origin
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        if not batch:
            return
        deadline = time.monotonic() + self._timeout
        try:
            with _output_lock(deadline) as lock:
                _write_lines(lock, b"\n".join(batch) + b"\n", deadline)
        except TimeoutError as error:
            detail = f"stdout had no room for {self._timeout:g} s; check the program that reads it"
            raise Fault("sink-busy", detail, where=self.name) from error
        except OSError as error:
            raise translate_os_error(
                error, sink=self.name, action="write to", path="stdout"
            ) from error

    def finish(self) -> None:
        """Do nothing: each batch was final."""

    def drop(self) -> None:
        """Do nothing: written records cannot be taken back."""

    def close(self) -> None:
        """Do nothing: the process owns its standard output."""


@contextmanager
def _output_lock(deadline: float) -> Iterator[int]:
    """Hold the lock that all writers of this user to stdout share; yields its descriptor.

    The lock file is opened each time, so that it excludes other threads as well as other processes,
    and a forked child shares no lock with its parent.  Raises TimeoutError at *deadline*.
    """
    lock = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.002)
        yield lock
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # a forked child may have a copy, so closing is not enough
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path() -> Path:
    """Return the lock file for what stdout is connected to, in a folder of this user alone."""
    folder = Path(tempfile.gettempdir()) / f"trailcourier-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        text = f"{folder} is not a folder of this user alone; remove it"
        raise NotADirectoryError(errno.ENOTDIR, text)
    output = os.fstat(FD)
    return folder / f"stdout-{output.st_dev:x}-{output.st_ino:x}.lock"


def _write_lines(lock: int, lines: bytes, deadline: float) -> None:
    """Write whole *lines*; the lock file remembers whether a writer died within a line."""
    if os.pread(lock, 1, 0) == _LINE_UNFINISHED:
        lines = b"\n" + lines
    os.pwrite(lock, _LINE_UNFINISHED, 0)
    _write(lines, deadline)
    os.pwrite(lock, _LINE_FINISHED, 0)


def _write(data: bytes, deadline: float) -> None:
    # After select, a write of at most PIPE_BUF does not block, even on a blocking pipe.  O_NONBLOCK
    # is no alternative: it would apply to all processes that share the descriptor.
    step = len(data) if stat.S_ISREG(os.fstat(FD).st_mode) else select.PIPE_BUF
    rest = memoryview(data)
    while rest:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([], [FD], [], left)[1]:
            raise TimeoutError
        try:
            rest = rest[os.write(FD, rest[:step]) :]
        except BlockingIOError:  # somebody made it non-blocking, and it has less room
            time.sleep(0.002)
