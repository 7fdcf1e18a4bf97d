"""Whether this host can do the work it takes, or should leave it to other hosts.

A host with a full disk or a lost route fails fast, so it would take every task and fail it.  While
a breaker of this host alone is open, its workers take one object now and then.
"""

import threading
from collections.abc import Collection

from trailcourier.clock import Clock
from trailcourier.models import Numbers

ROUNDS = 3  # of maintenance, each of which may dispatch an object again to another host


def pause(numbers: Numbers) -> float:
    """Return the seconds between two objects of an unfit host.

    Long enough that another host takes an object before this one takes it again.
    """
    return max(numbers.breaker_probe, ROUNDS * numbers.maintenance)


class Fitness:
    """Open breakers of this host alone, which limit what its workers take; thread-safe."""

    def __init__(self, host: str, clock: Clock) -> None:
        self.host = host
        self._clock = clock
        self._lock = threading.Lock()
        self._failing: dict[str, str] = {}
        self._probe_at = 0.0

    def note_open(self, breaker: str, why: str) -> None:
        """Note that *breaker*, of this host alone, is open."""
        with self._lock:
            self._failing[breaker] = why

    def keep_open(self, breakers: Collection[str]) -> None:
        """Keep only the *breakers* open."""
        with self._lock:
            for breaker in self._failing.keys() - set(breakers):
                del self._failing[breaker]

    def note_closed(self, breakers: Collection[str]) -> None:
        """Note that *breakers* have closed."""
        with self._lock:
            for breaker in breakers:
                self._failing.pop(breaker, None)

    def room(self, wanted: int, pause: float) -> int:
        """Return how many of *wanted* objects to take now: one each *pause* seconds while unfit."""
        with self._lock:
            if not self._failing or not wanted:
                return wanted
            now = self._clock.monotonic()
            if now < self._probe_at:
                return 0
            self._probe_at = now + pause
            return 1

    def why(self) -> str:
        """What keeps this host from taking objects; empty while nothing does."""
        with self._lock:
            return "; ".join(f"{name}: {why}" for name, why in sorted(self._failing.items()))
