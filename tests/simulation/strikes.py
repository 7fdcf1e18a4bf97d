"""What may go wrong at each call that leaves a process, and whether it does this time.

A strike is known by its point, the how manieth call of that point it meets, and its kind.  Those
of a run are drawn as it goes, or given: a run with the strikes of another one, less some, is how a
failing seed is shrunk.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

ANYWHERE = ("crash-before", "crash-after", "freeze-before", "freeze-after")

LEDGER_ERRORS = (
    "connection", "timeout", "readonly", "oom", "misconf", "loading", "masterdown", "noreplicas",
    "busy", "tryagain", "noauth", "unblocked",
)  # fmt: skip
QUEUE_ERRORS = ("network", "throttled", "queue-error", "queue-denied", "credentials")
BUCKET_ERRORS = ("network", "throttled", "aws-error", "access-denied", "kms", "credentials")
SINK_ERRORS = ("sink-unreachable", "sink-busy", "sink-error", "sink-credentials", "sink-full")


LOST = ("reply-lost",) * 3
FEW, SELDOM, OFTEN = 8, 3.0, 0.3  # the first calls of a point, and how likely a strike is there


def _errors(reasons: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"error:{reason}" for reason in reasons)


KINDS: dict[str, tuple[str, ...]] = {
    "ledger": (*ANYWHERE, *LOST, "cut", *_errors(LEDGER_ERRORS)),
    "ledger.claim_object": (*ANYWHERE, *LOST, "cut", "half", *_errors(LEDGER_ERRORS)),
    "ledger.write_outcome": (*ANYWHERE, *LOST, "cut", "half", *_errors(LEDGER_ERRORS)),
    "queue.receive": (*ANYWHERE, "twice", "cut", *_errors(QUEUE_ERRORS)),
    "queue.delete": (*ANYWHERE, "twice", "cut", "partial", "lost", *_errors(QUEUE_ERRORS)),
    "queue.extend": (*ANYWHERE, "twice", "cut", "partial", "denied", *_errors(QUEUE_ERRORS)),
    "queue.depth": (*ANYWHERE, "denied", *_errors(QUEUE_ERRORS)),
    "queue.redrive": (*ANYWHERE, *_errors(QUEUE_ERRORS)),
    "bucket.open": (*ANYWHERE, *_errors(BUCKET_ERRORS)),
    "bucket.body": (*ANYWHERE, "error:cut-short", "error:network"),
    "sink.start": (*ANYWHERE, *_errors(SINK_ERRORS)),
    "sink.send": (*ANYWHERE, "cut", "half", *_errors(SINK_ERRORS)),
    "sink.finish": (*ANYWHERE, "cut", *_errors(SINK_ERRORS)),
    "broker.publish": (*ANYWHERE, "twice", "cut", "half", "lost", "error:connection"),
    "broker.idle": (*ANYWHERE, "error:connection"),
    "broker.take": ("lost", "twice", "late", "crash-after"),
    "broker.chord": ("lost", "twice", "late"),
}
"""By point, or by the system of a point: what may happen there."""


class Wish(NamedTuple):
    """*kind* is to meet the first call of *point* at *after* milliseconds or later."""

    point: str
    kind: str
    after: int
    amount: int = 0


class Strike(NamedTuple):
    """The *nth* call of *point* meets *kind*, which lasts *amount* milliseconds if it lasts."""

    point: str
    nth: int
    kind: str
    amount: int = 0

    def __str__(self) -> str:
        lasts = f"@{self.amount}" if self.amount else ""
        return f"{self.point}#{self.nth}={self.kind}{lasts}"

    @classmethod
    def read(cls, text: str) -> "Strike":
        """What ``str`` wrote."""
        where, _, what = text.partition("=")
        point, _, nth = where.rpartition("#")
        kind, _, amount = what.partition("@")
        return cls(point, int(nth), kind, int(amount or 0))


def kinds(point: str) -> tuple[str, ...]:
    """What may happen at *point*."""
    return KINDS.get(point) or KINDS[point.partition(".")[0]]


def lasts(kind: str) -> bool:
    """Whether a strike of this kind lasts for a time."""
    return kind.startswith("freeze") or kind == "late"


class Aiming(Protocol):
    """What strikes are drawn on purpose."""

    def at(self, point: str, nth: int) -> Strike | None: ...


def each_kind(point: str) -> tuple[str, ...]:
    """What may happen at *point*, each kind once."""
    return tuple(dict.fromkeys(kinds(point)))


class Strikes:
    """The strikes of one run; *given* fixes them, and nothing is drawn."""

    def __init__(
        self, chance: random.Random, *, rate: float, most: int, weights: dict[str, float],
        longest: int, aims: Aiming, given: Sequence[Strike] | None = None,
    ) -> None:  # fmt: skip
        self.drawn: list[Strike] = []
        self.met: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[str] = Counter()
        self._chance = chance
        self._rate = rate
        self._most = most
        self._weights = weights
        self._longest = longest
        self._aims = aims
        self._given = (
            None if given is None else {(strike.point, strike.nth): strike for strike in given}
        )

    def at(self, point: str) -> Strike | None:
        """What happens at this call of *point*, if anything."""
        self.calls[point] += 1
        if self._given is not None:
            strike = self._given.get((point, self.calls[point]))
        else:
            strike = self._aims.at(point, self.calls[point]) or self._draw(point)
        if strike is not None:
            self.drawn.append(strike)
            self.met[point, strike.kind] += 1
        return strike

    def _draw(self, point: str) -> Strike | None:
        # what is called seldom is struck as often as what is called all the time
        rate = self._rate * (SELDOM if self.calls[point] <= FEW else OFTEN)
        if len(self.drawn) >= self._most or self._chance.random() >= rate:
            return None
        system = point.partition(".")[0]
        choice = [
            (kind, weight) for kind in kinds(point) if (weight := self._weight(system, kind)) > 0
        ]
        if not choice:
            return None
        kind = self._chance.choices([k for k, _ in choice], [w for _, w in choice])[0]
        amount = self._chance.randint(500, self._longest) if lasts(kind) else 0
        return Strike(point, self.calls[point], kind, amount)

    def _weight(self, system: str, kind: str) -> float:
        """The profile's weight: of the kind at this system, of the kind, of the system, in all."""
        stem = kind.partition("-")[0].partition(":")[0]
        for name in (f"{system}:{stem}", stem, system, "*"):
            if name in self._weights:
                return self._weights[name]
        return 0
