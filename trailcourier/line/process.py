"""What all tasks of one process share: memory, the right to run alone, and what they hold."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.line.holds import Holds

LOOK = 1.0  # seconds between two looks of who waits for memory


class Budget:
    """So many bytes for all forwards of a process; who needs more than is left waits."""

    def __init__(self, size: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._size = size
        self._left = size
        self._freed = threading.Condition()

    @contextmanager
    def take(
        self,
        wanted: int,
        *,
        before_waiting: Callable[[], None],
        waiting: Callable[[], None] = lambda: None,
    ) -> Iterator[bool]:
        """Hold *wanted* bytes; one that wants more than there is gets all of it, alone.

        Yields whether it had to wait, and calls *before_waiting* first if so: a connection would
        not outlast the wait.  *waiting* is called now and then meanwhile, and may raise.
        """
        share = min(wanted, self._size)
        waited = not self._try(share)
        if waited:
            before_waiting()
            while not self._try(share, within=LOOK):
                waiting()
        try:
            yield waited
        finally:
            with self._freed:
                self._left += share
                self._freed.notify_all()

    def _try(self, share: int, *, within: float = 0) -> bool:
        with self._freed:
            if self._left < share and within:
                self._clock.wait_on(self._freed, within)
            if self._left < share:
                return False
            self._left -= share
            return True


class Gate:
    """Many at once, or one alone: an object that may kill the process harms no other."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting_alone = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside together with others."""
        with self._changed:
            while self._inside < 0 or self._waiting_alone:
                self._clock.wait_on(self._changed, LOOK)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside while nobody else is; newcomers wait."""
        with self._changed:
            self._waiting_alone += 1
            while self._inside != 0:
                self._clock.wait_on(self._changed, LOOK)
            self._waiting_alone -= 1
            self._inside = -1
        try:
            yield
        finally:
            with self._changed:
                self._inside = 0
                self._changed.notify_all()


class Process:
    """One worker process: its byte budget, its gate, and the claims and poll leases it holds.

    *keeps_alive* False leaves the renewing of these to the caller.
    """

    def __init__(
        self, *, memory: int, claim: float, stall: float,
        clock: Clock = SYSTEM_CLOCK, keeps_alive: bool = True,
    ) -> None:  # fmt: skip
        self.budget = Budget(memory, clock)
        self.gate = Gate(clock)
        self.holds = Holds(life=claim, stall=stall, clock=clock, keeps_alive=keeps_alive)
