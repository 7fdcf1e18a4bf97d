"""One thing at a time: actors are threads, and only the one that holds the baton runs.

Time does not pass while an actor runs.  An actor that waits gives the baton to whoever is due
next, and the time jumps to that moment.  Who comes first of several due at once is drawn, so a
seed fixes every order.  Times are whole milliseconds since the run began.
"""

import heapq
import random
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

STUCK = 60.0  # real seconds without a turn; more means that a real lock is waited for
TURNS = 1_000_000  # of one run, at most


class Died(BaseException):
    """The process of this actor was killed: raised at each point it still comes to."""


class Over(BaseException):
    """The run has ended; actors unwind as if they had died."""


class Stuck(Exception):
    """An actor waits for something that is not simulated."""


class Endless(Exception):
    """Something happens over and over in no time."""


class Runner(threading.Thread):
    """A thread that runs one actor after another; starting one costs more than a whole turn."""

    idle: ClassVar["list[Runner]"] = []

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.baton = threading.Lock()
        self.baton.acquire()
        self.job: Callable[[], None] = lambda: None

    def run(self) -> None:
        while True:
            self.baton.acquire()
            self.job()

    @classmethod
    def of(cls, job: Callable[[], None]) -> "Runner":
        """A runner that runs *job* once its baton is released."""
        if cls.idle:
            runner = cls.idle.pop()
        else:
            runner = cls()
            runner.start()
        runner.job = job
        return runner


class Actor:
    """One thread of a simulated process; *process* is what may be killed or frozen."""

    __slots__ = ("ended", "name", "process", "runner", "ticket")

    def __init__(self, name: str, process: Any) -> None:
        self.name = name
        self.process = process
        self.runner: Runner | None = None
        self.ticket = 0  # of its one valid place in the queue of turns
        self.ended = False


class Signal:
    """Something that actors wait for."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[Actor] = []


Turn = tuple[int, float, int, int, "Actor | Callable[[], None]"]


class Schedule:
    """The queue of turns."""

    def __init__(self, chance: random.Random) -> None:
        self.now = 0
        self.current: Actor | None = None
        self.failure: BaseException | None = None
        self.actors: list[Actor] = []
        self._chance = chance
        self._turns: list[Turn] = []
        self._serial = 0
        self._main = threading.Lock()
        self._main.acquire()
        self._over = False

    def at(self, when: int, act: Callable[[], None]) -> None:
        """Call *act* at *when*, in whoever's thread; it may not wait."""
        self._serial += 1
        turn = (max(when, self.now), self._chance.random(), self._serial, 0, act)
        heapq.heappush(self._turns, turn)

    def spawn(self, name: str, process: Any, body: Callable[[], None]) -> Actor:
        """Begin an actor, which gets its first turn now or a little later."""
        actor = Actor(name, process)
        actor.runner = Runner.of(lambda: self._live(actor, body))
        self.actors.append(actor)
        self._due(actor, self.now)
        return actor

    def sleep(self, milliseconds: int) -> None:
        """Give the baton away until so much time has passed; raises Died and Over."""
        actor = self.current
        assert actor is not None
        if not self._over:
            self._due(actor, self.now + milliseconds)
            self._pass(actor)
        self._check(actor)

    def wait(self, signal: Signal, milliseconds: int) -> None:
        """Sleep, but no longer than until *signal* is fired."""
        actor = self.current
        assert actor is not None
        signal.waiting.append(actor)
        try:
            self.sleep(milliseconds)
        finally:
            if actor in signal.waiting:
                signal.waiting.remove(actor)

    def fire(self, signal: Signal) -> None:
        """Wake everybody who waits for *signal*."""
        for actor in signal.waiting:
            self._due(actor, self.now)
        signal.waiting.clear()

    def wake(self, process: Any) -> None:
        """Give every actor of *process* a turn now, so that it notices what became of it."""
        for actor in self.actors:
            if actor.process is process and not actor.ended and actor is not self.current:
                self._due(actor, self.now)

    def check(self) -> None:
        """Raise Died or Over if the current actor may do nothing more."""
        assert self.current is not None
        self._check(self.current)

    def run(self, until: int) -> None:
        """Run until ``finish`` is called, *until* at the latest; raises what an actor raised."""
        self.at(until, self.finish)
        self._pass(None)
        self._over = True
        for actor in self.actors:  # each unwinds, and gives the baton straight back
            if not actor.ended:
                self.current = actor
                assert actor.runner is not None
                actor.runner.baton.release()
                self._await()
        self.current = None
        if self.failure:
            raise self.failure

    def finish(self) -> None:
        """Let no actor have another turn."""
        self._over = True

    def fail(self, failure: BaseException) -> None:
        """End the run with *failure*."""
        self.failure = self.failure or failure
        self._over = True

    def _due(self, actor: Actor, when: int) -> None:
        self._serial += 1
        actor.ticket = self._serial
        turn = (when, self._chance.random(), self._serial, self._serial, actor)
        heapq.heappush(self._turns, turn)

    def _check(self, actor: Actor) -> None:
        if self._over:
            raise Over
        if not actor.process.alive:
            raise Died

    def _pass(self, me: Actor | None) -> None:
        """Hand the baton on; return when it is back."""
        following = self._next()
        if following is me and me is not None:
            return
        if following is not None:
            assert following.runner is not None
            following.runner.baton.release()
        elif me is not None:
            self._main.release()
        if me is None:
            if following is not None:
                self._await()
        else:
            assert me.runner is not None
            me.runner.baton.acquire()

    def _next(self) -> Actor | None:
        """Who is due next, after all acts before; None at the end of the run."""
        turns = self._turns
        while not self._over:
            if self._serial > TURNS:
                self.fail(Endless(f"{TURNS} turns, and no end"))
                break
            when, _, _, ticket, what = heapq.heappop(turns)
            self.now = max(self.now, when)
            if isinstance(what, Actor):
                if what.ended or what.ticket != ticket:
                    continue
                thaws = what.process.frozen_until
                if thaws > self.now and what.process.alive:
                    self._due(what, thaws)
                    continue
                self.current = what
                return what
            self.current = None
            try:
                what()
            except Exception as error:  # noqa: BLE001 - any of them ends the run
                self.fail(error)
        self.current = None
        return None

    def _live(self, actor: Actor, body: Callable[[], None]) -> None:
        """The whole life of *actor*, in its runner's thread."""
        try:
            self._check(actor)
            body()
        except (Died, Over):
            pass
        except BaseException as error:  # noqa: BLE001 - any of them ends the run
            self.fail(error)
        actor.ended = True
        runner, actor.runner = actor.runner, None
        assert runner is not None
        Runner.idle.append(runner)
        following = None if self._over else self._next()
        if following is None:
            self._main.release()
        else:
            assert following.runner is not None
            following.runner.baton.release()

    def _await(self) -> None:
        serial = -1
        while not self._main.acquire(timeout=STUCK):
            if serial == self._serial:
                raise Stuck(self._stacks())
            serial = self._serial

    def _stacks(self) -> str:
        """Where every actor is."""
        frames = sys._current_frames()
        return "\n\n".join(
            f"{actor.name}\n{''.join(traceback.format_stack(frames[actor.runner.ident]))}"
            for actor in self.actors
            if actor.runner is not None and actor.runner.ident in frames
        )
