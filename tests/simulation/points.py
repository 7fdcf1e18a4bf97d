"""Points: every call that leaves a process goes through one.

There the baton may pass to another actor, and a strike may fall on the call.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from tests.simulation.history import History
from tests.simulation.schedule import Died, Schedule
from tests.simulation.strikes import Strike, Strikes

R = TypeVar("R")

DELAYS = (0, 0, 0, 1, 1, 2, 3, 5, 8, 20, 50)  # ms that a call takes
RETRY = (100, 200)  # ms before a client asks again


class Struck(Exception):
    """The call did what it does, or did not, and fails with *kind*; the adapter translates it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Points:
    """All points of one run."""

    def __init__(
        self, schedule: Schedule, strikes: Strikes, history: History, chance: random.Random,
        *, stays: float, kill: Callable[[Any], None],
    ) -> None:  # fmt: skip
        self.schedule = schedule
        self.strikes = strikes
        self.history = history
        self._chance = chance
        self._stays = stays  # how likely a call takes no time and the actor goes on
        self.kill = kill
        self.struck: dict[str, list[int]] = defaultdict(list)
        """By object name, when a strike met a process that had it in hand."""
        self.last_strike = 0
        self.asked_twice: set[str] = set()  # actors that asked again, as an answer was lost
        self.begun: Counter[str] = Counter()  # by object: forwards of it, all there were
        self.in_hand: Counter[str] = Counter()  # by object: forwards of it, dead ones too

    def pause(self) -> None:
        """Let time pass as for one call, and others go first."""
        self.schedule.check()
        if self._chance.random() >= self._stays:
            actor = self.schedule.current
            assert actor is not None
            delay = self._chance.choice(DELAYS) * actor.process.slow
            self.schedule.sleep(delay)

    def call(
        self, point: str, act: Callable[[], R], *, retried: bool = False, told: str = "",
        partly: Callable[[str], R] | None = None,
    ) -> R:  # fmt: skip
        """Do *act*, which is what the other side does, at *point*.

        *retried* says that the client asks again where no reply came.  *partly* does what a strike
        of this point alone is about.  Raises Struck for what the caller is told went wrong.
        """
        self.pause()
        strike = self.strikes.at(point)
        if strike is None:
            try:
                result = act()
            except Exception as error:
                self._note(point, f"{told}: {error!r:.80}")
                raise
            self._note(point, told)
            return result
        self.say(strike, told)
        return self._strike(strike, act, retried, partly)

    def say(self, strike: Strike, told: str = "") -> None:
        """Write a strike into the history, with what was in hand."""
        actor = self.schedule.current
        assert actor is not None
        self.history.add(self.schedule.now, actor.name, f"* {strike}", told)
        self.touch(actor.process if "thread" not in strike.kind else actor)
        self.last_strike = max(self.last_strike, self.schedule.now + strike.amount)

    def touch(self, process: Any) -> None:
        """Note that everything *process* has in hand was struck."""
        for name in process.in_hand.values():
            self.struck[name].append(self.schedule.now)

    def _strike(
        self, strike: Strike, act: Callable[[], R], retried: bool,
        partly: Callable[[str], R] | None,
    ) -> R:  # fmt: skip
        kind, _, reason = strike.kind.partition(":")
        match kind:
            case "crash-before":
                self._crash()
            case "crash-after":
                act()
                self._crash()
            case "freeze-before":
                self._freeze(strike.amount)
                return act()
            case "freeze-after":
                result = act()
                self._freeze(strike.amount)
                return result
            case "reply-lost" | "twice":
                act()
                assert self.schedule.current is not None
                self.asked_twice.add(self.schedule.current.name)
                self.schedule.sleep(self._chance.randint(*RETRY))
                return act()
            case "cut":
                act()
                raise Struck("cut")
            case "error":
                raise Struck(reason)
        assert partly is not None, strike
        return partly(kind)

    def _crash(self) -> None:
        actor = self.schedule.current
        assert actor is not None
        self.kill(actor.process)
        raise Died

    def _freeze(self, milliseconds: int) -> None:
        actor = self.schedule.current
        assert actor is not None
        actor.process.frozen_until = self.schedule.now + milliseconds
        self.schedule.sleep(milliseconds)

    def _note(self, point: str, told: str) -> None:
        actor = self.schedule.current
        assert actor is not None
        self.history.add(self.schedule.now, actor.name, point, told)
