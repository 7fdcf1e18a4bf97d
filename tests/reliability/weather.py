"""What a storm strikes, and when: a plan that follows from its seed alone."""

import dataclasses
import random
from typing import NamedTuple

OBJECTS = ("objects-1", "objects-2", "objects-3")
FLEET = (*OBJECTS, "control", "beat")
STEPS = (-3600, 3600, 46_800, -25, 25)  # seconds by which a clock is set


class Strike(NamedTuple):
    """What is struck *at* so many seconds, and for how many seconds it stays so.

    A *hasty* one does not wait until everything has recovered from the one before.
    """

    at: float
    what: str
    down: float = 0
    hasty: bool = False

    def __str__(self) -> str:
        down = f" for {self.down} s" if self.down else ""
        return f"{self.at:.1f} s {self.what}{down}{' hastily' if self.hasty else ''}"


KILLS = (
    ("objects", 9), ("control", 3), ("beat", 2), ("broker", 3), ("broker without data", 1),
    ("flushall", 1),
)  # fmt: skip
BROKER = (
    ("answers READONLY", 1), ("answers OOM", 1), ("answers NOREPLICAS", 1), ("answers BUSY", 1),
    ("answers MISCONF", 1), ("answers MASTERDOWN", 1), ("loading", 1), ("rotation", 1),
)  # fmt: skip
CLOCKS = (("clock broker", 2), ("clock objects", 1), ("clock control", 1), ("clock beat", 1))
NETWORK = (("stalled network", 1), ("stalled network objects", 1), ("stalled network control", 1))
EVERYTHING = (
    ("objects", 4), ("control", 2), ("beat", 1), ("broker", 1), ("broker without data", 1),
    ("flushall", 1), ("freeze objects", 2), ("freeze control", 1), ("freeze broker", 1),
    *BROKER, *CLOCKS, *NETWORK, ("stalled bucket", 1), ("stalled queue", 1), ("full disk", 1),
)  # fmt: skip
"""Kinds of strike, and how many of each a minute has."""
DRY = tuple(each for each in EVERYTHING if each[0] != "full disk")
"""The same without the one that needs a disk to fill."""

DOWN = {
    "broker": (0.2, 4.0),
    "freeze": (3.0, 14.0),  # a claim lives for four seconds, a poll lease for ten
    "answers": (1.0, 6.0),
    "loading": (2.0, 5.0),
    "rotation": (0.5, 4.0),  # until the file has the new password
    "clock": (3.0, 10.0),
    "stalled": (1.0, 6.0),
    "stalled network": (2.0, 14.0),
    "full": (1.0, 6.0),
}
"""For how many seconds, at least and at most, by how a kind begins; the longest name counts."""


@dataclasses.dataclass(frozen=True)
class Weather:
    """How long messages come, how many, and how often what is struck."""

    seed: int
    seconds: float = 60
    messages: int = 500
    strikes: tuple[tuple[str, int], ...] = KILLS

    def plan(self) -> list[Strike]:
        """The strikes, in order, about evenly spread."""
        chance = random.Random(self.seed)
        kinds = [what for what, times in self.strikes for _ in range(times)]
        chance.shuffle(kinds)
        step = self.seconds / len(kinds)
        return [
            Strike(
                step * (at + chance.uniform(0.2, 0.9)),
                *_one(chance, what),
                hasty=chance.random() < 0.25,
            )
            for at, what in enumerate(kinds)
        ]


def _one(chance: random.Random, what: str) -> tuple[str, float]:
    """Choose what a kind leaves open: for how long, which worker, and how far a clock is set."""
    known = [begins for begins in DOWN if what.startswith(begins)]
    down = round(chance.uniform(*DOWN[max(known, key=len)]), 1) if known else 0.0
    if what.endswith("objects"):
        what = what.replace("objects", chance.choice(OBJECTS))
    if what.startswith("clock"):
        what = f"{what} {chance.choice(STEPS):+d}"
    return what, down
