"""Whether this host can do the work it takes, or should leave it to others.

A host whose disk is full or whose route is gone fails fast, so it would take every task and fail
it.  While a breaker of this host alone is open, its workers take one object now and then.
"""

import threading
from collections.abc import Collection

from trailcourier.clock import Clock


class Fitness:
    """What keeps the workers of this process from taking objects; safe from every thread."""

    def __init__(self, host: str, clock: Clock) -> None:
        self.host = host
        self._clock = clock
        self._lock = threading.Lock()
        self._failing: dict[str, str] = {}
        self._probe_at = 0.0

    def failed(self, breaker: str, why: str) -> None:
        """Note that *breaker*, which is this host's own, is open."""
        with self._lock:
            self._failing[breaker] = why

    def recovered(self, still_open: Collection[str]) -> None:
        """Note which breakers are open now; the others hold nothing up any more."""
        with self._lock:
            for breaker in self._failing.keys() - set(still_open):
                del self._failing[breaker]

    def closed(self, breakers: Collection[str]) -> None:
        """Note that *breakers* have closed."""
        with self._lock:
            for breaker in breakers:
                self._failing.pop(breaker, None)

    def room(self, wanted: int, pause: float) -> int:
        """How many of *wanted* objects to take now: one every *pause* seconds while unfit."""
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
