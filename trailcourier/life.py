"""How a worker process is, as far as it can tell itself."""

import threading
import time
from collections.abc import Callable

STUCK = 60.0  # seconds without a turn of the consumer's loop, which turns every five
UNHEARD = 45.0  # seconds without an answer of the broker, which is asked every ten
AWAY = 60.0  # seconds without one after which a health check fails


def silence(seconds: float, longest: float = UNHEARD) -> str:
    """Say that the broker has not answered for so long, where that is longer than *longest*."""
    return f"the broker has not answered for {seconds:.0f} s" if seconds > longest else ""


class Life:
    """What the consumer and the broker were last heard of; all by the monotonic clock.

    A process lives while its consumer's loop turns; one that waits for its broker has no loop, and
    lives: to kill it would not bring the broker back.  It is ready while it takes work.
    """

    def __init__(
        self, stopping: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stopping = stopping
        self._clock = clock
        self._consuming = False
        self._turned = self._heard = clock()

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

    def heard(self) -> None:
        """Note an answer of the broker."""
        self._heard = self._clock()

    def trouble(self) -> str:
        """Why this process should be restarted; empty while it is well."""
        still = self._clock() - self._turned
        if self._consuming and still > STUCK:
            return f"the consumer has stood still for {still:.0f} s"
        return ""

    def away(self) -> str:
        """That the broker has not answered for too long; empty for a moment of that."""
        return silence(self._clock() - self._heard, AWAY)

    def unready(self) -> str:
        """Why this process takes no work just now; empty while it does."""
        if self._stopping.is_set():
            return "stopping"
        if not self._consuming:
            return "not connected to the broker"
        return silence(self._clock() - self._heard) or self.trouble()
