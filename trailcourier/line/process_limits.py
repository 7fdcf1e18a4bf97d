"""The limits that all tasks of one worker process share."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.line.fitness import Fitness
from trailcourier.line.live_claims import LiveClaims

READERS = 8  # threads, at most

AtOnce = Callable[[Callable[[int], None], Sequence[int]], None]
"""Calls a function, which raises nothing, with each of some numbers, and waits for all."""

CHECK = 1.0  # seconds between two checks of a thread that waits


class FairQueue:
    """A queue of waiting threads: first come, first served, so that none waits for ever."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def __len__(self) -> int:
        """Return how many threads wait."""
        return len(self._waiting)

    def take_now(self, take: Callable[[], bool]) -> bool:
        """Call *take* unless a thread waits already; return whether *take* succeeded."""
        with self._changed:
            return not self._waiting and take()

    def take_in_turn(self, take: Callable[[], bool], stop: Callable[[], bool]) -> bool:
        """Wait until it is this thread's turn and *take* returns True; return True then.

        Calls *stop* every second meanwhile, and returns False once it returns True; it may raise.
        """
        turn = object()
        try:
            with self._changed:
                self._waiting.append(turn)
            while not stop():
                with self._changed:
                    if self._waiting[0] is turn and take():
                        return True
                    self._clock.wait_on(self._changed, CHECK)
            return False
        finally:
            with self._changed:
                self._waiting.remove(turn)
                self._changed.notify_all()

    def give(self, back: Callable[[], None]) -> None:
        """Call *back*, which returns what was taken, and wake the waiting threads."""
        with self._changed:
            back()
            self._changed.notify_all()


class Budget:
    """The bytes that all forwards of a process share; one waits its turn until enough are left."""

    def __init__(self, size: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._turns = FairQueue(clock)
        self._size = size
        self._left = size

    def take_now(self, wanted: int) -> int:
        """Take *wanted* bytes, if no forward waits; return what to ``give`` back, 0 for nothing."""
        share = min(wanted, self._size)
        return share if self._turns.take_now(lambda: self._take(share)) else 0

    def give(self, share: int) -> None:
        """Give *share* bytes back."""

        def back() -> None:
            self._left += share

        self._turns.give(back)

    def _take(self, share: int) -> bool:
        if self._left < share:
            return False
        self._left -= share
        return True

    @contextmanager
    def take(
        self,
        wanted: int,
        *,
        before_waiting: Callable[[], None],
        waiting: Callable[[], object] = lambda: None,
    ) -> Iterator[bool]:
        """Take *wanted* bytes for the block; yield whether the forward had to wait for them.

        Calls *before_waiting* before a wait, because a connection would not survive it, and
        *waiting* every second during it, which may raise.  No later forward overtakes one that
        waits, however little it wants.
        """
        share = min(wanted, self._size)  # one that wants more than all gets all, and runs alone

        def stop() -> bool:
            waiting()  # ends the wait only by raising
            return False

        waited = not self._turns.take_now(lambda: self._take(share))
        if waited:
            before_waiting()
            self._turns.take_in_turn(lambda: self._take(share), stop)
        try:
            yield waited
        finally:
            self.give(share)


class Gate:
    """Lets many forwards run at once, or one alone that may kill the process.

    Both wait in the order they came.  A forward that still waits when *stopping* is set does not
    get in: its block runs with False.
    """

    def __init__(self, stopping: threading.Event, clock: Clock = SYSTEM_CLOCK) -> None:
        self._stopping = stopping
        self._turns = FairQueue(clock)
        self._inside = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Iterator[bool]:
        """Run the block together with others."""

        def take() -> bool:
            if not self._alone:
                self._inside += 1
            return not self._alone

        def back() -> None:
            self._inside -= 1

        with self._through(take, back) as inside:
            yield inside

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Run the block while no other runs."""

        def take() -> bool:
            if self._alone or self._inside:
                return False
            self._alone = True
            return True

        def back() -> None:
            self._alone = False

        with self._through(take, back) as inside:
            yield inside

    @contextmanager
    def _through(self, take: Callable[[], bool], back: Callable[[], None]) -> Iterator[bool]:
        """Run the block after *take* has let it in, or with False; call *back* after it."""
        inside = self._turns.take_now(take)
        inside = inside or self._turns.take_in_turn(take, self._stopping.is_set)
        try:
            yield inside
        finally:
            if inside:
                self._turns.give(back)


class ReadThreads:
    """Threads that a process starts at the first use, to wait for S3 in; a single call needs none.

    A request in a thread of its own takes less CPU than an asynchronous one: obstore releases the
    interpreter while it waits, and hands over the whole answer at once.
    """

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def __call__(self, call: Callable[[int], None], numbers: Sequence[int]) -> None:
        if len(numbers) == 1:
            call(numbers[0])
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reads")
        for _ in self._threads.map(call, numbers):
            pass


class ProcessLimits:
    """What the forwards of one worker process share: memory, gate, live claims, the order to stop.

    *memory* is bytes; a claim lives *claim* seconds, and a forward without progress for *stall*
    seconds loses it.  *fitness* says whether the host can do the work.  *stopping* is set when the
    process is to stop.  *at_once* calls a function with each of several arguments, side by side.
    With *keeps_alive* False the caller renews the claims.
    """

    def __init__(
        self, *, memory: int, claim: float, stall: float, fitness: Fitness | None = None,
        stopping: threading.Event | None = None, clock: Clock = SYSTEM_CLOCK,
        keeps_alive: bool = True, at_once: AtOnce | None = None,
    ) -> None:  # fmt: skip
        self.at_once = at_once or ReadThreads()
        self.budget = Budget(memory, clock)
        self.stopping = stopping or threading.Event()
        self.gate = Gate(self.stopping, clock)
        self.fitness = fitness or Fitness("", clock)
        self.live_claims = LiveClaims(
            life=claim, stall=stall, stopping=self.stopping, clock=clock, keeps_alive=keeps_alive
        )
