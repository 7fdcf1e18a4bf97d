"""One turn of a contender: fill its queue with new files, and measure until it is empty."""

import os
import time
from collections.abc import Callable, Mapping

import msgspec

from bench.contenders import Contender

CHECK_SECONDS = 0.01  # between two checks of the queue


class Turn(msgspec.Struct, frozen=True):
    """What was measured while the queue was never empty.

    *own_cpu* are the CPU seconds of the contender's processes by role, *service_cpu* those of the
    services that it uses.
    """

    objects: int
    seconds: float
    own_cpu: Mapping[str, float]
    service_cpu: Mapping[str, float] = {}

    @property
    def ms(self) -> float:
        """CPU milliseconds an object, of all processes of the contender."""
        return sum(self.own_cpu.values()) / self.objects * 1000

    @property
    def rate(self) -> float:
        """Objects a second."""
        return self.objects / self.seconds

    def cpu_ms_of(self, role: str) -> float:
        """Return the CPU milliseconds an object of one role or service."""
        spent = self.own_cpu.get(role, 0) + self.service_cpu.get(role, 0)
        return spent / self.objects * 1000


def run_turn(
    contender: Contender, *, events: int, messages: int, objects: int = 1,
    service_cpu: Callable[[], dict[str, float]] = dict,
) -> Turn:  # fmt: skip
    """Give *contender* *messages* messages of *objects* files with *events* events, and measure.

    The measurement begins when a sixth of the messages is deleted and ends when the last one is
    received, so about as many are in flight at both ends.  Raises RuntimeError if *messages* are
    too few for that.
    """
    before = contender.queue.put(events, messages, objects)["deleted"]
    first = _await_counts(contender, lambda counts: counts["deleted"] >= before + messages // 6)
    start = (time.perf_counter(), first, contender.cpu_seconds(), service_cpu())
    last = _await_counts(contender, lambda counts: counts["waiting"] == 0)
    end = (time.perf_counter(), last, contender.cpu_seconds(), service_cpu())
    contender.await_deleted(before + messages)
    empty_outputs(contender)
    if end[1] == start[1]:
        raise RuntimeError(f"{messages} messages are too few to measure {contender.name} with")
    return Turn(
        (end[1] - start[1]) * objects,
        end[0] - start[0],
        difference(start[2], end[2]),
        difference(start[3], end[3]),
    )


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what each role spent between two readings."""
    return {role: spent - before[role] for role, spent in after.items()}


def empty_outputs(contender: Contender) -> None:
    """Truncate the files written so far, to free disk space.

    They are not deleted: for minutes after a deletion ext4 takes long to find a free inode.
    """
    for path in contender.output.rglob("*.ndjson"):
        if path.stat().st_size:
            os.truncate(path, 0)


def _await_counts(
    contender: Contender, condition: Callable[[dict[str, int]], bool], *, seconds: float = 120
) -> int:
    """Wait until the queue's counts meet *condition*; return how many messages are deleted then."""
    deadline = time.monotonic() + seconds
    while not condition(counts := contender.queue.counts()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{contender.name}: still {counts} after {seconds} s")
        time.sleep(CHECK_SECONDS)
    return counts["deleted"]
