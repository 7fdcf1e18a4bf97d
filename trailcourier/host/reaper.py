"""Kills child processes whose parent has died, also after SIGKILL.

``trailcourier.host.child_process`` runs this file as a process.  It reads lines ``+PID`` and
``-PID`` from standard input: the process groups that the parent started and saw end.  When the
parent dies, the pipe closes; the groups that are left get SIGTERM, then SIGKILL.  This also works
where PR_SET_PDEATHSIG does not exist (macOS), and for the children of the children.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def main() -> None:
    """Wait until the parent dies, then end the process groups it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(read_groups(sys.stdin.buffer))


def read_groups(lines: Iterable[bytes]) -> set[int]:
    """Return the process groups that were started and not seen to end, when *lines* end."""
    groups: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line[:1] == b"+":
            groups.add(pid)
        else:
            groups.discard(pid)
    return groups


def end(groups: set[int], *, grace: float = GRACE) -> None:
    """Send SIGTERM to every group, and SIGKILL to those that still exist after *grace* seconds."""
    left = {pid for pid in groups if _send(pid, signal.SIGTERM)}
    deadline = time.monotonic() + grace
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {pid for pid in left if _send(pid, 0)}
    for pid in left:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> bool:
    """Send a signal to the group *pid*; False if it does not exist."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        return True
    return False


if __name__ == "__main__":
    main()
