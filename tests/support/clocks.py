"""Clocks for tests."""

import threading

from trailcourier.clock import SystemClock


class LongestJitter(SystemClock):
    """A clock whose random waits are all as long as they may be."""

    def jitter(self) -> float:
        return 1.0


class Fast(SystemClock):
    """A clock that runs three hundred times as fast."""

    def monotonic(self) -> float:
        return super().monotonic() * 300

    def wait(self, seconds: float, stopping: threading.Event | None = None) -> bool:
        return super().wait(seconds / 300, stopping)
