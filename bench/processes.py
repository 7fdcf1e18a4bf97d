"""Processes of the bench: started, watched through /proc, ended by their pid."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from trailcourier import child

SCHEDULER = 2  # CPUCLOCK_SCHED of Linux: what the scheduler counts, to the nanosecond


def cpu(pid: int) -> float:
    """The CPU seconds of a process so far, all its threads, user and system together.

    As /proc/PID/stat says it, but that in ticks of 10 ms; see clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | SCHEDULER)


def children(pid: int) -> list[int]:
    """The processes that *pid* started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


def resident(pid: int) -> float:
    """The memory of a process that is in use now, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


@contextlib.contextmanager
def serving(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """Run a module that prints its address as JSON; gives the address and the pid."""
    argv = [sys.executable, "-m", module, *arguments]
    process = child.start(argv, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], process.pid
    finally:
        child.stop(process, grace=5)
