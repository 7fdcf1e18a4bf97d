"""Limits repeated log lines to ten a minute for each cause."""

import threading
import time
from collections.abc import Callable, Hashable

LINES = 10
WINDOW = 60.0  # seconds
CAUSES = 1000  # remembered at once; one that is forgotten may write ten lines again


class Repeats:
    """Decides whether a line is written or left out; may be called by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def left_out(self, cause: Hashable) -> int | None:
        """Return None to leave the line out, else how many lines were left out before it."""
        now = self._clock()
        with self._lock:
            began, lines = self._seen.get(cause, (now, 0))
            if now - began < WINDOW:
                self._seen[cause] = (began, lines + 1)
                left_out = 0 if lines < LINES else None
            else:
                self._seen[cause] = (now, 1)
                left_out = max(0, lines - LINES)
            if len(self._seen) > CAUSES:
                del self._seen[next(iter(self._seen))]
            return left_out

    def forget(self) -> None:
        """Forget every cause."""
        with self._lock:
            self._seen.clear()
