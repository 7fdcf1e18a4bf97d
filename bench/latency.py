"""Latency: from when a message is sent until its records are on the disk.

The sink syncs a file and then renames it, so its inode change time (``st_ctime``) is when the
records were on the disk.  Both times are of this machine's clock.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path

from bench.contenders import Contender
from bench.turns import empty_outputs

NUMBER = re.compile(r"_(\d{16})")


def measure_latencies(
    contender: Contender, *, events: int, rate: float, seconds: float
) -> list[float]:
    """Announce *rate* files a second, one by one; return the seconds that each took, ascending."""
    count = int(rate * seconds)
    begin = contender.queue.counts()["deleted"]
    contender.queue.pace(events, rate, seconds)
    time.sleep(seconds)
    contender.await_deleted(begin + count, seconds=max(60, seconds))
    measured = latencies(contender.queue.sent(), arrival_times(contender.output))
    empty_outputs(contender)
    return measured


def arrival_times(output: Path) -> dict[str, float]:
    """Return when each file below *output* was renamed, by its log file's number."""
    return {
        found[1]: path.stat().st_ctime
        for path in output.rglob("*.ndjson")
        if (found := NUMBER.search(path.name))
    }


def latencies(sent: Mapping[str, float], arrived: Mapping[str, float]) -> list[float]:
    """Return the seconds between the two times of each file, ascending.

    Raises RuntimeError if a file has not arrived.
    """
    numbers = {name[-16:]: at for name, at in sent.items()}
    missing = numbers.keys() - arrived.keys()
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(numbers)} files are not on the disk")
    return sorted(arrived[number] - at for number, at in numbers.items())


def percentile(ascending: list[float], part: float) -> float:
    """Return the smallest of the values that *part* of all (0 to 1) do not exceed."""
    return ascending[max(0, -(-int(len(ascending) * part * 1000) // 1000) - 1)]
