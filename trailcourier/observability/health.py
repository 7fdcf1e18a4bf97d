"""The health of a worker process, as far as the process itself can tell."""

import threading
import time
from collections.abc import Callable

STUCK = 60.0  # seconds without a turn of the consumer's loop, which turns every 5 s
UNHEARD = 45.0  # seconds without an answer of the broker, which is called every 10 s
AWAY = 60.0  # seconds without such an answer after which a health check fails


def silence(seconds: float, longest: float = UNHEARD) -> str:
    """Say that the broker has been silent for *seconds*, or nothing up to *longest*."""
    return f"the broker has not answered for {seconds:.0f} s" if seconds > longest else ""


class ProcessHealth:
    """When the consumer's loop last turned and the broker last answered, by the monotonic clock.

    A process is live while its consumer's loop turns.  One that waits for its broker has no loop
    and is live too: a restart would not bring the broker back.  It is ready while it takes work.
    """

    def __init__(
        self, stopping: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stopping = stopping
        self._clock = clock
        self._consuming = False
        self._turned = self._answered = clock()

    def connected(self) -> None:
        """Note that the consumer is connected; its loop turns from now on."""
        self._turned, self._consuming = self._clock(), True

    @property
    def consumes(self) -> bool:
        """Whether the consumer is connected."""
        return self._consuming

    def turned(self) -> None:
        """Note a turn of the consumer's loop."""
        self._turned = self._clock()

    def disconnected(self) -> None:
        """Note that the consumer has no broker, and no loop until it has one again."""
        self._consuming = False

    def broker_answered(self) -> None:
        """Note that the broker answered."""
        self._answered = self._clock()

    def trouble(self) -> str:
        """Return why this process should be restarted, or nothing while it is live."""
        idle = self._clock() - self._turned
        if self._consuming and idle > STUCK:
            return f"the consumer has been stuck for {idle:.0f} s"
        return ""

    def away(self) -> str:
        """Return that the broker has not answered for too long, or nothing."""
        return silence(self._clock() - self._answered, AWAY)

    def unready(self) -> str:
        """Return why this process takes no work now, or nothing while it does."""
        if self._stopping.is_set():
            return "stopping"
        if not self._consuming:
            return "not connected to the broker"
        return silence(self._clock() - self._answered) or self.trouble()
