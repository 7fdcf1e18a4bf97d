"""One thing at a time: actors are greenlets, and only the one that holds the baton runs.

Time does not pass while an actor runs.  An actor that waits gives the baton to whoever is due
next, and the time jumps to that moment.  Who comes first of several due at once is drawn, so a
seed fixes every order.  Times are whole milliseconds since the run began.

All actors share one thread of the system: a lock that one of them holds while it waits would be
waited for by the next one for ever, so no code that is simulated may hold one across a point.
"""

import heapq
import random
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

TURNS = 1_000_000  # of one run, at most; `World` ends those that go on for too long


class Died(BaseException):
    """The process of this actor was killed: raised at each point it still comes to."""


class Over(BaseException):
    """The run has ended; actors unwind as if they had died."""


class Endless(Exception):
    """Something happens over and over in no time."""


class Actor:
    """One thread of a simulated process; *process* is what may be killed or frozen."""

    __slots__ = ("ended", "name", "process", "stack", "ticket")

    def __init__(self, name: str, process: Any, stack: greenlet) -> None:
        self.name = name
        self.process = process
        self.stack = stack
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
        self._main = getcurrent()
        self._over = False

    def at(self, when: int, act: Callable[[], None]) -> None:
        """Call *act* at *when*, in whoever's thread; it may not wait."""
        self._serial += 1
        turn = (max(when, self.now), self._chance.random(), self._serial, 0, act)
        heapq.heappush(self._turns, turn)

    def spawn(self, name: str, process: Any, body: Callable[[], None]) -> Actor:
        """Begin an actor, which gets its first turn now or a little later."""
        stack = greenlet(lambda: self._live(actor, body), parent=self._main)
        actor = Actor(name, process, stack)
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
        while following := self._next():  # an actor that ends comes back here
            following.stack.switch()
        self._over = True
        for actor in self.actors:  # each unwinds
            if not actor.ended:
                self.current = actor
                actor.stack.switch()
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

    def _pass(self, me: Actor) -> None:
        """Hand the baton on; return when it is back."""
        following = self._next()
        if following is not me:
            (following.stack if following else self._main).switch()

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
        """The whole life of *actor*."""
        try:
            self._check(actor)
            body()
        except (Died, Over):
            pass
        except BaseException as error:  # noqa: BLE001 - any of them ends the run
            self.fail(error)
        actor.ended = True
