"""How long a message waits: from when it was sent until its records are on the disk.

A file has its name at the time its inode was last changed, which is when the sink renamed it; it
was synced before.  Both times are this machine's.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path

from bench.contenders import Contender
from bench.turns import clear

NUMBER = re.compile(r"_(\d{16})")


def measure(who: Contender, *, events: int, rate: float, seconds: float) -> list[float]:
    """Announce one file after the other, *rate* a second; the seconds each one took."""
    count = int(rate * seconds)
    begin = who.queue.counts()["deleted"]
    who.queue.pace(events, rate, seconds)
    time.sleep(seconds)
    who.until(begin + count, seconds=max(60, seconds))
    took = waits(who.queue.sent(), placed(who.output))
    clear(who)
    return took


def placed(output: Path) -> dict[str, float]:
    """When each file below *output* got its name, by its log file's number."""
    return {
        found[1]: path.stat().st_ctime
        for path in output.rglob("*.ndjson")
        if (found := NUMBER.search(path.name))
    }


def waits(sent: Mapping[str, float], placed: Mapping[str, float]) -> list[float]:
    """The seconds between the two times of each file, in ascending order; all must be there."""
    numbers = {name[-16:]: at for name, at in sent.items()}
    missing = numbers.keys() - placed.keys()
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(numbers)} files are not on the disk")
    return sorted(placed[number] - at for number, at in numbers.items())


def share(ascending: list[float], part: float) -> float:
    """The smallest value that *part* of all do not exceed."""
    return ascending[max(0, -(-int(len(ascending) * part * 1000) // 1000) - 1)]
