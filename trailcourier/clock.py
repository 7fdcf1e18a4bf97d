"""Time, waiting and randomness, as one object that callers pass in.

The line uses only this object for all three, so that a simulation can replace it.  It decides
nothing that several hosts share: such times come from the ledger, which uses Redis TIME.
"""

import random
import secrets
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the line needs from its host; all times are seconds."""

    def now(self) -> float:
        """Return the host's wall clock as Unix time: for people and metrics, not for decisions."""
        ...

    def monotonic(self) -> float:
        """Return a time that never steps; only differences have a meaning."""
        ...

    def wait(self, seconds: float, stopping: threading.Event | None = None) -> bool:
        """Wait for *seconds* or until *stopping* is set; return whether it is set."""
        ...

    def wait_on(self, condition: threading.Condition, seconds: float) -> None:
        """Wait up to *seconds* for a notification of *condition*, which the caller holds."""
        ...

    def token(self) -> str:
        """Return a unique name of 16 hexadecimal digits."""
        ...

    def jitter(self) -> float:
        """Return a random number from 0 up to, but not including, 1."""
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
        return random.random()  # noqa: S311  it spreads retries and protects no secret


SYSTEM_CLOCK: Clock = SystemClock()
