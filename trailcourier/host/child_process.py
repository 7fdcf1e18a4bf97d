"""Starts and stops child processes, which never outlive this process."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from trailcourier.once_cache import OnceCache

Process = subprocess.Popen[bytes]
Stream = IO[bytes] | int | None


def start(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    keep: Sequence[int] = (),
    folder: Path | None = None,
) -> Process:
    """Start *argv* in its own session, so that signals reach it only through this process.

    If this process dies first, the reaper kills the child.  *keep* are file descriptors that the
    child inherits, *folder* is its working directory if not this one.  Raises OSError if the
    program cannot be started.
    """
    reaper = _reaper()
    process = subprocess.Popen(  # noqa: S603 - our own argument list, and no shell
        argv,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=keep,
        cwd=folder,
        start_new_session=True,
    )
    reaper.register(process.pid)
    return process


def stop(process: Process, *, grace: float) -> int:
    """Send SIGTERM to *process*, SIGKILL after *grace* seconds; return its exit status."""
    send(process, signal.SIGTERM)
    return end(process, grace=grace)


def end(process: Process, *, grace: float) -> int:
    """Wait *grace* seconds for *process* to end, then kill it; return its exit status."""
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        kill(process)
    return reap(process)


def kill(process: Process) -> int:
    """Kill *process* and its group; return its exit status."""
    send(process, signal.SIGKILL)
    return reap(process)


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal to the process group of *process*, unless it was reaped already."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def reap(process: Process) -> int:
    """Wait for *process*, unregister it from the reaper, close this end of its pipes."""
    status = process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # children it left in its group
    _reaper().unregister(process.pid)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return status


class _Reaper:
    """The process that watches this process; see ``trailcourier.host.reaper``."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("reaper.py")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self.close)

    def register(self, pid: int) -> None:
        self._write(b"+%d\n" % pid)

    def unregister(self, pid: int) -> None:
        self._write(b"-%d\n" % pid)

    def close(self) -> None:
        """Close the pipe: the reaper ends what is still running, as if this process had died."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # it takes longer only if it has to kill something

    def _write(self, line: bytes) -> None:
        pipe = self._process.stdin
        with self._lock, contextlib.suppress(BrokenPipeError):
            if pipe is not None:
                os.write(pipe.fileno(), line)


_reapers = OnceCache()  # one, for this process


def _reaper() -> _Reaper:
    return _reapers.get("this process", _Reaper)
