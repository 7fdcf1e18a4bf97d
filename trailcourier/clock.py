"""Time, waiting and randomness, as one value that is passed in.

The line takes all three from here, so that a simulation can replace them.  Nothing that two hosts
share is decided by this clock: such times are the ledger's, which are Redis TIME.
"""

import random
import secrets
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the line needs of its host; all times are seconds."""

    def now(self) -> float:
        """The host's wall clock as Unix time: for people and for metrics, never for a decision."""
        ...

    def monotonic(self) -> float:
        """A clock that never steps; only differences mean something."""
        ...

    def wait(self, seconds: float, stopping: threading.Event | None = None) -> bool:
        """Wait, or until *stopping* is set; whether it is."""
        ...

    def wait_on(self, condition: threading.Condition, seconds: float) -> None:
        """Wait for a notification of *condition*, which the caller holds."""
        ...

    def token(self) -> str:
        """A name that nobody else has: 16 hexadecimal digits."""
        ...

    def jitter(self) -> float:
        """A random number from 0 up to 1."""
        ...


class SystemClock:
    """The clock of this host."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float, stopping: threading.Event | None = None) -> bool:
        if stopping is not None:
            return stopping.wait(seconds)
        time.sleep(seconds)
        return False

    def wait_on(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds)

    def token(self) -> str:
        return secrets.token_hex(8)

    def jitter(self) -> float:
        return random.random()  # noqa: S311  it spreads retries, it guards nothing


SYSTEM_CLOCK: Clock = SystemClock()
