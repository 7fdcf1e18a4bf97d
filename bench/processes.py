"""Processes of the bench: start them, read their CPU time and memory, end them."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from trailcourier.host import child_process

CPUCLOCK_SCHED = 2  # Linux: the scheduler's count, in nanoseconds


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far: all threads, user and system.

    /proc/PID/stat has the same in ticks of 10 ms; see clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


def children(pid: int) -> list[int]:
    """Return the pids of the processes that *pid* started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


@contextlib.contextmanager
def serve_module(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """Run a module that prints its URL as JSON; yields the URL and the pid."""
    argv = [sys.executable, "-m", module, *arguments]
    process = child_process.start(argv, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], process.pid
    finally:
        child_process.stop(process, grace=5)
