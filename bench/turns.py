"""One turn of a contender: a queue full of new files, and what carrying them took."""

import os
import time
from collections.abc import Callable, Mapping

import msgspec

from bench.contenders import Contender

LOOK = 0.01  # seconds between two looks at the queue


class Turn(msgspec.Struct, frozen=True):
    """What was measured while the queue never ran dry.

    *own* are the CPU seconds of the contender's processes by their role, *beside* of who serves it.
    """

    objects: int
    seconds: float
    own: Mapping[str, float]
    beside: Mapping[str, float] = {}

    @property
    def ms(self) -> float:
        """CPU milliseconds an object, of all the contender's own processes."""
        return sum(self.own.values()) / self.objects * 1000

    @property
    def rate(self) -> float:
        """Objects a second."""
        return self.objects / self.seconds

    def each(self, role: str) -> float:
        """CPU milliseconds an object of one role."""
        spent = self.own.get(role, 0) + self.beside.get(role, 0)
        return spent / self.objects * 1000


def turn(
    who: Contender, *, events: int, messages: int, objects: int = 1,
    beside: Callable[[], dict[str, float]] = dict,
) -> Turn:  # fmt: skip
    """Give *who* so many *messages* of *objects* files with so many *events*, and measure.

    Measured is from when a sixth of them is carried until the last one is received: what is in
    hand is then about the same at both ends.
    """
    begin = who.queue.put(events, messages, objects)["deleted"]
    first = _when(who, lambda counts: counts["deleted"] >= begin + messages // 6)
    start = (time.perf_counter(), first, who.cpu(), beside())
    last = _when(who, lambda counts: counts["waiting"] == 0)
    end = (time.perf_counter(), last, who.cpu(), beside())
    who.until(begin + messages)
    clear(who)
    if end[1] == start[1]:
        raise RuntimeError(f"{messages} messages are too few to measure {who.name} with")
    return Turn(
        (end[1] - start[1]) * objects,
        end[0] - start[0],
        between(start[2], end[2]),
        between(start[3], end[3]),
    )


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two readings."""
    return {role: spent - before[role] for role, spent in after.items()}


def clear(who: Contender) -> None:
    """Empty the files carried so far, so that the disk has room for more.

    They are not deleted: for minutes after that ext4 looks long for an inode it may use.
    """
    for path in who.output.rglob("*.ndjson"):
        if path.stat().st_size:
            os.truncate(path, 0)


def _when(
    who: Contender, condition: Callable[[dict[str, int]], bool], *, seconds: float = 120
) -> int:
    """Wait for *condition* of the queue's counts; how many messages are deleted then."""
    deadline = time.monotonic() + seconds
    while not condition(counts := who.queue.counts()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{who.name}: still {counts} after {seconds} s")
        time.sleep(LOOK)
    return counts["deleted"]
