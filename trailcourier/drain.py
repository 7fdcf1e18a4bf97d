"""When a queue is drained, and what a drain came to."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Annotated

import msgspec
import redis
from msgspec import Meta

from trailcourier.dispositions import advice
from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.left import LeftMessages
from trailcourier.ledger.parked import Waiting
from trailcourier.ledger.quarantine import Entry
from trailcourier.ledger.sums import (
    MESSAGES_HOLD,
    OBJECTS_HOLD,
    SINKS_HOLD,
    by_sink,
    of_messages,
    of_objects,
    under,
)
from trailcourier.parked import NAMED, causes, left, plural

QUIET = 2  # long polls in a row that brought nothing this run has not refused already
LOOK = 0.2  # seconds between two looks at the ledger
LAST = 5.0  # seconds for which the last look is tried
STARTS = 60  # seconds a fleet may take to be there, however short the timeout

# counters of what a run is done with
ENDED = {
    "objects": {"delivered", "skipped", "refused"},
    "messages": {"deleted", "left", "unread", "refused"},
}

# reasons a queue gives that no time repairs, nor another try
HOPELESS = frozenset(
    {
        *("credentials", "instance-metadata", "clock-skew"),
        *("queue-denied", "no-such-queue", "queue-key"),
    }
)


class Progress(msgspec.Struct, frozen=True):
    """What one source has in hand, for whoever watches."""

    source: str
    in_flight: int
    parked: int
    messages: int
    quiet: int
    delivered: int
    ended: int  # objects and messages that this run is done with
    left: int = 0  # messages that the queue hides, as too much of their bucket is parked

    @property
    def drained(self) -> bool:
        """Whether nothing is left to do here."""
        held = self.in_flight or self.parked or self.messages or self.left
        return self.quiet >= QUIET and not held


class Drained(msgspec.Struct, frozen=True):
    """What one source's drain came to."""

    source: Annotated[str, Meta(description="its name")]
    drained: Annotated[bool, Meta(description="whether nothing was left to do")]
    objects: Annotated[
        Mapping[str, int],
        Meta(description=f"{OBJECTS_HOLD}, `in-hand`; `named` has those in hand when it began too"),
    ]
    records: Annotated[
        Mapping[str, int],
        Meta(description="records read, as `in`, and of these filtered, as `filtered:RULE`"),
    ]
    sinks: Annotated[
        Mapping[str, Mapping[str, int]],
        Meta(description=SINKS_HOLD),
    ]
    messages: Annotated[
        Mapping[str, int],
        Meta(
            description=f"{MESSAGES_HOLD}, `in-hand`; `received` has those held when it began too"
        ),
    ]
    refused: Annotated[
        Sequence[Entry],
        Meta(description="quarantine entries made or met again: what stays in the queue"),
    ] = ()
    waiting: Annotated[
        Sequence[Waiting],
        Meta(description="parked objects, why, in words too, and behind which breaker"),
    ] = ()
    left: Annotated[
        int,
        Meta(description="messages hidden in the queue, as too much of their bucket is parked"),
    ] = 0


class Result(msgspec.Struct, frozen=True):
    """What a drain of all sources came to; *why* says what kept it from ending, if anything."""

    sources: Sequence[Drained]
    why: str = ""


class Watch:
    """One source's ledger, from the moment the drain began.

    Whoever starts a drain may just have repaired something: what is parked is tried at once, and
    every breaker has to open anew.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._before, self._in_hand = ledger.sums.and_in_hand()
        self._began = ledger.flow.now()
        self._last: tuple[int, ...] = ()
        self._polled = False
        self._last_at = time.monotonic()
        ledger.flow.heard(something_new=True)
        for each in ledger.breakers.open():
            ledger.breakers.reset(each.name)
        ledger.parked.hurry()

    def look(self) -> Progress:
        """What is in hand now."""
        # first whether it is quiet: what comes after that is seen in hand
        quiet = self._ledger.flow.quiet()
        sums, (flight, parked, messages) = self._since()
        return Progress(
            self._ledger.store.source,
            flight,
            parked,
            messages,
            quiet,
            delivered=sums.get("objects:delivered", 0),
            ended=sum(by for name, by in sums.items() if _ends(name)),
            left=self._ledger.left.size(),
        )

    def stuck(self, look: Progress, timeout: float) -> str:
        """Why waiting longer makes no sense, or nothing."""
        breakers = [each for each in self._ledger.breakers.open() if _of_queue(each)]
        hopeless = [each for each in breakers if each.reason in HOPELESS]
        if hopeless and not (look.in_flight or look.parked):
            return _why(look, hopeless, (), LeftMessages())
        held = look.parked or look.messages or look.left
        self._polled = bool(self._polled or held or look.quiet or look.ended or breakers)
        timeout = timeout if self._polled else max(timeout, STARTS)
        now, last = time.monotonic(), (look.ended,) if held else (look.ended, look.quiet)
        if last != self._last:
            self._last, self._last_at = last, now
        if look.drained or look.in_flight or now - self._last_at <= timeout:
            return ""
        waiting, there = self._ledger.parked.waiting(NAMED), self._ledger.breakers.open()
        behind = {each.breaker for each in waiting}
        why = [
            x for x in there if _of_queue(x) or x.name in behind or (look.left and _of_bucket(x))
        ]
        return _why(look, why, waiting, self._ledger.left.all())

    def result(self) -> Drained:
        """The counters of this run, what it refused, and what is still parked."""
        ledger, (sums, (flight, parked, held)) = self._ledger, self._since()
        refused = [each for each in ledger.quarantine.entries() if each.last >= self._began]
        flight_before, parked_before, held_before = self._in_hand
        look = self.look()
        return Drained(
            ledger.store.source,
            look.drained,
            _with(of_objects(sums), "named", flight_before + parked_before, flight + parked),
            {"in": 0} | under("records", sums),
            by_sink(sums),
            _with(of_messages(sums), "received", held_before, held),
            refused,
            ledger.parked.waiting(NAMED),
            look.left,
        )

    def _since(self) -> tuple[dict[str, int], tuple[int, int, int]]:
        """What was counted in this run, and what is in hand."""
        after, in_hand = self._ledger.sums.and_in_hand()
        if any(after.get(name, 0) < value for name, value in self._before.items() if _counts(name)):
            # the ledger was lost and began anew, with nothing in hand
            self._before, self._in_hand = {}, (0, 0, 0)
        change = {name: value - self._before.get(name, 0) for name, value in after.items()}
        return {name: by for name, by in change.items() if by and _counts(name)}, in_hand


def drain(
    ledgers: Sequence[Ledger],
    *,
    timeout: float,
    stopping: threading.Event,
    watched: Callable[[Sequence[Progress]], None],
) -> Result:
    """Wait until every source is drained, or one cannot be, or *stopping* is set.

    A source cannot be drained when what it holds got nowhere for *timeout* seconds, or its queue
    answers with what no time repairs.  Raises redis.RedisError for a broker that stays away for
    as long.
    """
    watches = [Watch(ledger) for ledger in ledgers]
    why, heard = "", time.monotonic()
    while not why and not stopping.wait(LOOK):
        try:
            looks = [watch.look() for watch in watches]
            why = next(filter(None, map(Watch.stuck, watches, looks, repeat(timeout))), "")
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() - heard > timeout:
                raise
            continue
        heard = time.monotonic()
        watched(looks)
        if all(look.drained for look in looks):
            break
    return Result([_patiently(watch.result) for watch in watches], why)


def _patiently(ask: Callable[[], Drained]) -> Drained:
    """Ask again for a while where the broker does not answer: it may be starting again."""
    ends = time.monotonic() + LAST
    while True:
        try:
            return ask()
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() > ends:
                raise
        time.sleep(LOOK)


def _with(counted: dict[str, int], total: str, before: int, now: int) -> dict[str, int]:
    """What was *counted*, its *total* with what was in hand *before*, and what is in hand *now*."""
    counted[total] += before
    return counted | ({"in-hand": now} if now else {})


def _counts(name: str) -> bool:
    return not name.startswith("at:")


def _ends(name: str) -> bool:
    kind, _, outcome = name.partition(":")
    return kind in ENDED and outcome.partition(":")[0] in ENDED[kind]


def _of_queue(breaker: Breaker) -> bool:
    return breaker.name.startswith(("queue:", "credentials:", "delete:"))


def _of_bucket(breaker: Breaker) -> bool:
    return breaker.name.startswith("bucket:")


def _why(
    look: Progress, breakers: Sequence[Breaker], waiting: Sequence[Waiting], hidden: LeftMessages
) -> str:
    """Say in one line what waits for what, and what to do."""
    if look.parked:
        held = plural(look.parked, "parked object")
    elif look.messages:
        held = f"{plural(look.messages, 'message')} not deleted"
    elif look.left:
        held = f"{plural(look.left, 'message')} left to the queue"
    else:
        held = "nothing can be received"
    known = {each.name for each in breakers}
    told = [*_causes(breakers), *causes(waiting, known), *left(hidden)]
    why = "; ".join(told) or "it got nowhere, and nothing says why"
    return f"source {look.source} is not drained, {held}: {why.rstrip('.')}."


def _causes(breakers: Sequence[Breaker]) -> Iterator[str]:
    for each in breakers:
        told = advice(each.reason, each.name)
        yield f"{each.name}: {each.reason}: {each.text.rstrip('.')}. {told}".rstrip()
