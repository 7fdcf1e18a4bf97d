"""Ends child processes whose parent is gone, however it went.

Run as a file of its own, by ``trailcourier.child``: it reads lines ``+PID`` and ``-PID`` from
standard input and knows by them which process groups the parent has started and seen end.  When
the parent dies, even by SIGKILL, the pipe ends; what is left is asked to stop, then made to.
Works where PR_SET_PDEATHSIG does not exist (macOS), and for the children of the children.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 10.0  # seconds between asking and making


def main() -> None:
    """Wait for the parent to go, then end what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(groups(sys.stdin.buffer))


def groups(lines: Iterable[bytes]) -> set[int]:
    """The process groups that were started and not seen to end, once *lines* are over."""
    held: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line[:1] == b"+":
            held.add(pid)
        else:
            held.discard(pid)
    return held


def end(held: set[int], *, grace: float = GRACE) -> None:
    """Ask every group in *held* to stop, and kill those that still exist after *grace* seconds."""
    left = {pid for pid in held if _signalled(pid, signal.SIGTERM)}
    deadline = time.monotonic() + grace
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {pid for pid in left if _signalled(pid, 0)}
    for pid in left:
        _signalled(pid, signal.SIGKILL)


def _signalled(pid: int, number: int) -> bool:
    """Whether the group was there to be signalled."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        return True
    return False


if __name__ == "__main__":
    main()
