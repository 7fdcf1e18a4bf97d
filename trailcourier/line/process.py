"""What all tasks of one process share: memory, the right to run alone, and what they hold."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.line.fitness import Fitness
from trailcourier.line.holds import Holds

LOOK = 1.0  # seconds between two looks of who waits


class Turns:
    """What threads wait for in the order they came, so that nobody is overtaken for ever."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take_now(self, take: Callable[[], bool]) -> bool:
        """Call *take*, which says whether it could, unless somebody waits; whether it did."""
        with self._changed:
            return not self._waiting and take()

    def take_in_turn(self, take: Callable[[], bool], stop: Callable[[], bool]) -> bool:
        """Wait until *take* answers True and all who came before have had their turn.

        *stop* is called now and then meanwhile, and may raise; False once it answers True.
        """
        turn = object()
        try:
            with self._changed:
                self._waiting.append(turn)
            while not stop():
                with self._changed:
                    if self._waiting[0] is turn and take():
                        return True
                    self._clock.wait_on(self._changed, LOOK)
            return False
        finally:
            with self._changed:
                self._waiting.remove(turn)
                self._changed.notify_all()

    def give(self, back: Callable[[], None]) -> None:
        """Call *back*, after which others may take."""
        with self._changed:
            back()
            self._changed.notify_all()


class Budget:
    """So many bytes for all forwards of a process; who needs more than is left waits in turn."""

    def __init__(self, size: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._turns = Turns(clock)
        self._size = size
        self._left = size

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
        not outlast the wait.  *waiting* is called now and then meanwhile, and may raise.  While one
        waits, no other that came later gets anything, however little it wants.
        """
        share = min(wanted, self._size)

        def take() -> bool:
            if self._left < share:
                return False
            self._left -= share
            return True

        def give_up() -> bool:
            waiting()
            return False

        def back() -> None:
            self._left += share

        waited = not self._turns.take_now(take)
        if waited:
            before_waiting()
            self._turns.take_in_turn(take, give_up)
        try:
            yield waited
        finally:
            self._turns.give(back)


class Gate:
    """Many at once, or one alone: an object that may kill the process harms no other.

    Both get in by the order they came.  Whoever waits while *stopping* is set is not let in: the
    block runs with False.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._turns = Turns(clock)
        self._inside = 0
        self._alone = False

    @contextmanager
    def shared(self, stopping: threading.Event) -> Iterator[bool]:
        """Be inside together with others."""

        def take() -> bool:
            if not self._alone:
                self._inside += 1
            return not self._alone

        def back() -> None:
            self._inside -= 1

        with self._through(take, back, stopping) as inside:
            yield inside

    @contextmanager
    def alone(self, stopping: threading.Event) -> Iterator[bool]:
        """Be inside while nobody else is."""

        def take() -> bool:
            if self._alone or self._inside:
                return False
            self._alone = True
            return True

        def back() -> None:
            self._alone = False

        with self._through(take, back, stopping) as inside:
            yield inside

    @contextmanager
    def _through(
        self, take: Callable[[], bool], back: Callable[[], None], stopping: threading.Event
    ) -> Iterator[bool]:
        inside = self._turns.take_now(take) or self._turns.take_in_turn(take, stopping.is_set)
        try:
            yield inside
        finally:
            if inside:
                self._turns.give(back)


class Process:
    """One worker process: its byte budget, its gate, and the claims and poll leases it holds.

    *fitness* says whether its host can do the work; *keeps_alive* False leaves the renewing of
    what is held to the caller.
    """

    def __init__(
        self, *, memory: int, claim: float, stall: float, fitness: Fitness | None = None,
        clock: Clock = SYSTEM_CLOCK, keeps_alive: bool = True,
    ) -> None:  # fmt: skip
        self.budget = Budget(memory, clock)
        self.gate = Gate(clock)
        self.fitness = fitness or Fitness("", clock)
        self.holds = Holds(life=claim, stall=stall, clock=clock, keeps_alive=keeps_alive)
