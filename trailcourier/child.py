"""Child processes that never outlive this one, and are ended by their own pid."""

import atexit
import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

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
    """Start *argv* in a session of its own, so that signals reach it only through us.

    If this process dies without ending it, the tether does.  *keep* are file descriptors the child
    holds open too, *folder* is where it runs, if elsewhere.  Raises OSError if the program cannot
    be started.
    """
    tether = _tether()
    process = subprocess.Popen(  # noqa: S603 - an argument list of our own, and no shell
        argv,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=keep,
        cwd=folder,
        start_new_session=True,
    )
    tether.hold(process.pid)
    return process


def stop(process: Process, *, grace: float) -> int:
    """Ask *process* to end, make it after *grace* seconds, and give its exit status."""
    send(process, signal.SIGTERM)
    return end(process, grace=grace)


def end(process: Process, *, grace: float) -> int:
    """Wait *grace* seconds for *process*, which was asked to end, then make it."""
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        kill(process)
    return reap(process)


def kill(process: Process) -> int:
    """End *process* and all of its group at once."""
    send(process, signal.SIGKILL)
    return reap(process)


def send(process: Process, number: signal.Signals) -> None:
    """Signal the process group of *process*; nothing happens once it has been reaped."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def reap(process: Process) -> int:
    """Wait for *process*, let the tether forget it, close our ends of its pipes."""
    status = process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # children it left in its group
    _tether().forget(process.pid)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return status


class _Tether:
    """The one process that watches this one; see ``trailcourier.tether``."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("tether.py")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self.close)

    def hold(self, pid: int) -> None:
        self._write(b"+%d\n" % pid)

    def forget(self, pid: int) -> None:
        self._write(b"-%d\n" % pid)

    def close(self) -> None:
        """Let go; what is still running is ended now, as if we had died."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # longer only if it has something to end

    def _write(self, line: bytes) -> None:
        pipe = self._process.stdin
        with self._lock, contextlib.suppress(BrokenPipeError):
            if pipe is not None:
                os.write(pipe.fileno(), line)


_one_tether = threading.Lock()
_made = functools.cache(_Tether)


def _tether() -> _Tether:
    with _one_tether:
        return _made()
