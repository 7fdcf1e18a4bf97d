"""When a queue is drained, and what a drain came to."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from trailcourier.errors import Unreachable
from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.quarantine import Entry

QUIET = 2  # receives in a row that brought nothing this run has not refused already
LOOK = 0.2  # seconds between two looks at the ledger
HOPELESS = frozenset({"credentials", "access-denied", "clock-skew", "no-such-queue"})


class Progress(msgspec.Struct, frozen=True):
    """What one source has in hand, for whoever watches."""

    source: str
    in_flight: int
    parked: int
    messages: int
    quiet: int
    delivered: int

    @property
    def drained(self) -> bool:
        """Whether nothing is left to do here."""
        return self.quiet >= QUIET and not (self.in_flight or self.parked or self.messages)


class Drained(msgspec.Struct, frozen=True):
    """What one source's drain came to: counters of this run, and what was refused in it."""

    source: str
    sums: Mapping[str, int]
    refused: Sequence[Entry] = ()


class Watch:
    """One source's ledger, from the moment the drain began."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._before = ledger.sums.all()
        self._began = ledger.flow.now()
        self._waiting_since: float | None = None
        ledger.flow.heard(something_new=True)

    def look(self) -> Progress:
        """What is in hand now."""
        flow = self._ledger.flow
        flight, parked, messages = flow.in_hand()
        delivered = self._since().get("objects:delivered", 0)
        source = self._ledger.store.source
        return Progress(source, flight, parked, messages, flow.quiet(), delivered)

    def check(self, progress: Progress, timeout: float, now: float) -> None:
        """Raise Unreachable once what is left has waited too long, or can only wait."""
        breakers = self._ledger.breakers.open()
        queue = [each for each in breakers if each.name.startswith("queue:")]
        moving = progress.in_flight or not (progress.parked or queue)
        if moving:
            self._waiting_since = None
            return
        if any(each.reason in HOPELESS for each in queue) and not progress.parked:
            raise Unreachable(_why(progress, breakers))
        self._waiting_since = self._waiting_since or now
        if now - self._waiting_since > timeout:
            raise Unreachable(_why(progress, breakers))

    def result(self) -> Drained:
        """The counters of this run, and its refusals."""
        entries = [each for each in self._ledger.quarantine.entries() if each.last >= self._began]
        return Drained(self._ledger.store.source, self._since(), entries)

    def _since(self) -> dict[str, int]:
        after = self._ledger.sums.all().items()
        change = {name: value - self._before.get(name, 0) for name, value in after}
        return {name: by for name, by in change.items() if by and not name.startswith("at:")}


def drain(
    ledgers: Sequence[Ledger],
    *,
    timeout: float,
    stopping: threading.Event,
    watched: Callable[[Sequence[Progress]], None],
) -> list[Drained]:
    """Wait until every source is drained, or *stopping* is set; what each came to.

    Raises Unreachable when parked work, or a queue that does not answer, has held a source up for
    *timeout* seconds.
    """
    watches = [Watch(ledger) for ledger in ledgers]
    while not stopping.wait(LOOK):
        looks = [watch.look() for watch in watches]
        watched(looks)
        if all(look.drained for look in looks):
            break
        for watch, look in zip(watches, looks, strict=True):
            watch.check(look, timeout, time.monotonic())
    return [watch.result() for watch in watches]


def _why(progress: Progress, breakers: Sequence[Breaker]) -> str:
    causes = "; ".join(f"{each.name} is open ({each.reason}: {each.text})" for each in breakers)
    waiting = f"{progress.parked} parked objects wait" if progress.parked else "nothing is received"
    return (
        f"source {progress.source} is not drained: {waiting}"
        f"{f' for {causes}' if causes else ''}. Nothing is lost: what is left is still in the "
        "queue and comes again. `trailcourier status` says more."
    )
