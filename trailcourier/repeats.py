"""Lines that repeat themselves, held to a few a minute."""

import threading
import time
from collections.abc import Callable, Hashable

LINES = 10
WINDOW = 60.0  # seconds
CAUSES = 1000  # remembered at once; who is forgotten may speak again, which costs a few lines


class Repeats:
    """Says of each line whether it is one too many for its cause; for any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def left_out(self, cause: Hashable) -> int | None:
        """None for a line to leave out, else how many were since the last that was written."""
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
        """Let every cause speak again."""
        with self._lock:
            self._seen.clear()
