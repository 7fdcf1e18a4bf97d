"""The clock of one simulated host: its own wall clock, and the time that all share."""

import random
import threading
from collections.abc import Callable

from tests.simulation.schedule import Schedule, Signal

EPOCH = 1_763_856_000  # seconds; when every run begins


class Stop(threading.Event):
    """An event that simulated actors can wait for."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.signal = Signal()
        self._schedule = schedule

    def set(self) -> None:
        super().set()
        self._schedule.fire(self.signal)

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            self._schedule.wait(self.signal, round((timeout or 0) * 1000))
        return self.is_set()


class HostClock:
    """What one host has instead of ``time``, ``random`` and ``secrets``.

    Its wall clock is *skew* seconds ahead, gains *drift* seconds in each, and may be stepped.
    """

    def __init__(
        self, schedule: Schedule, chance: random.Random, *, skew: float = 0, drift: float = 0
    ) -> None:
        self._schedule = schedule
        self._chance = chance
        self._drift = drift
        self.skew = skew
        self.waits: Callable[[], None] = lambda: None  # called where an actor waits in turn

    def now(self) -> float:
        passed = self._schedule.now / 1000
        return EPOCH + passed * (1 + self._drift) + self.skew

    def monotonic(self) -> float:
        return 1000 + self._schedule.now / 1000

    def wait(self, seconds: float, stopping: threading.Event | None = None) -> bool:
        if isinstance(stopping, Stop):
            return stopping.wait(seconds)
        self._schedule.sleep(round(seconds * 1000))
        return False

    def wait_on(self, condition: threading.Condition, seconds: float) -> None:
        """Wait as ``Condition.wait`` does, and wake now and then for nothing, as it may."""
        self.waits()
        condition.release()
        try:
            self._schedule.sleep(min(round(seconds * 1000), 200) + 1)
        finally:
            condition.acquire()

    def token(self) -> str:
        return f"{self._chance.getrandbits(64):016x}"

    def jitter(self) -> float:
        return self._chance.random()
