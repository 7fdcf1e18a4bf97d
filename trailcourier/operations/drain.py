"""Wait until the queues are drained, and report the result."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Annotated

import msgspec
import redis
from msgspec import Meta

from trailcourier.breaker_name import BreakerName
from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.left_messages import LeftTotals
from trailcourier.ledger.parked import ParkedObject
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.ledger.sums import (
    MESSAGES_HOLD,
    OBJECTS_HOLD,
    SINKS_HOLD,
    by_sink,
    of_messages,
    of_objects,
    under,
)
from trailcourier.operations import paused
from trailcourier.operations.parked import NAMED, describe_hidden, describe_parked, plural

QUIET = 2  # long polls in a row that bring nothing but what this run has refused already
CHECK_INTERVAL = 0.2  # seconds between two reads of the ledger
LAST_READ = 5.0  # seconds for which the last read of the ledger is retried
START = 60  # seconds a fleet may take to start, however short the timeout

# counters of objects and messages that a run has finished
FINISHED = {
    "objects": {"delivered", "skipped", "refused"},
    "messages": {"deleted", "left", "unread", "refused"},
}

# reasons of a queue that neither time nor a retry repairs
HOPELESS = frozenset(
    {
        *("credentials", "instance-metadata", "clock-skew"),
        *("queue-denied", "no-such-queue", "queue-key"),
    }
)

NO_CAUSE = (
    "There was no progress, and the ledger names no cause. See the log of the control worker, and "
    "`trailcourier doctor`."
)


class Progress(msgspec.Struct, frozen=True):
    """What one source has in hand during a drain, for a progress display."""

    source: str
    in_flight: int
    parked: int
    messages: int
    quiet: int
    delivered: int
    ended: int  # objects and messages that this run has finished
    left: int = 0  # messages hidden in SQS, because too many objects of their bucket are parked

    @property
    def drained(self) -> bool:
        """Whether nothing is left to do for this source."""
        in_hand = self.in_flight or self.parked or self.messages or self.left
        return self.quiet >= QUIET and not in_hand


class Drained(msgspec.Struct, frozen=True):
    """The result of one source's drain."""

    source: Annotated[str, Meta(description="its name")]
    drained: Annotated[bool, Meta(description="whether nothing was left to do")]
    objects: Annotated[
        Mapping[str, int],
        Meta(description=f"{OBJECTS_HOLD}, `in-hand`; `named` includes those in hand at the start"),
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
            description=f"{MESSAGES_HOLD}, `in-hand`; `received` includes those leased at the start"
        ),
    ]
    refused: Annotated[
        Sequence[QuarantineEntry],
        Meta(description="quarantine entries made or met again; their messages stay in the queue"),
    ] = ()
    waiting: Annotated[
        Sequence[ParkedObject],
        Meta(description="parked objects: the reason, what failed, and the breaker if any"),
    ] = ()
    left: Annotated[
        int,
        Meta(description="messages hidden in SQS: too many objects of their bucket are parked"),
    ] = 0


class DrainResult(msgspec.Struct, frozen=True):
    """The result of a drain of all sources; *why* says what kept it from ending, if anything."""

    sources: Sequence[Drained]
    why: str = ""


class DrainWatch:
    """Watches one source's ledger from the moment the drain begins.

    Whoever starts a drain may just have repaired something, so it makes every parked object due at
    once and closes every open breaker.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._before, self._in_hand = ledger.sums.read_with_in_hand()
        self._began = ledger.store.read_clock()
        self._last_progress: tuple[int, ...] = ()
        self._polled = False
        self._progress_at = time.monotonic()
        ledger.receives.note(something_new=True)
        for each in ledger.breakers.list_open():
            ledger.breakers.reset(each.name)
        ledger.parked.make_due()

    def progress(self) -> Progress:
        """Read what is in hand now."""
        # read the quiet polls first: a message that comes after that is seen in hand
        quiet = self._ledger.receives.count_quiet()
        sums, (flight, parked, messages) = self._counted()
        return Progress(
            self._ledger.store.source,
            flight,
            parked,
            messages,
            quiet,
            delivered=sums.get("objects:delivered", 0),
            ended=sum(by for name, by in sums.items() if _is_finished(name)),
            left=self._ledger.left.count(),
        )

    def why_stuck(self, progress: Progress, timeout: float) -> str:
        """Return why waiting longer makes no sense, or an empty string."""
        breakers = [each for each in self._ledger.breakers.list_open() if _of_queue(each)]
        hopeless = [each for each in breakers if each.reason in HOPELESS]
        if hopeless and not (progress.in_flight or progress.parked):
            return self._describe(progress, hopeless, (), LeftTotals())
        waits = progress.parked or progress.messages or progress.left
        self._polled = bool(self._polled or waits or progress.quiet or progress.ended or breakers)
        timeout = timeout if self._polled else max(timeout, START)
        now = time.monotonic()
        last = (progress.ended,) if waits else (progress.ended, progress.quiet)
        if last != self._last_progress:
            self._last_progress, self._progress_at = last, now
        if progress.drained or progress.in_flight or now - self._progress_at <= timeout:
            return ""
        waiting = self._ledger.parked.list_some(NAMED)
        behind = {each.breaker for each in waiting}
        causes = [
            each
            for each in self._ledger.breakers.list_open()
            if _of_queue(each) or each.name in behind or (progress.left and _of_bucket(each))
        ]
        return self._describe(progress, causes, waiting, self._ledger.left.total())

    def _describe(
        self,
        progress: Progress,
        breakers: Sequence[Breaker],
        waiting: Sequence[ParkedObject],
        hidden: LeftTotals,
    ) -> str:
        """Return in one line what waits for what, and what to do."""
        store = self._ledger.store
        now, longest_pause = store.read_clock(), store.numbers.breaker_probe
        causes = [
            *(paused.describe(each, now, longest_pause) for each in breakers),
            *describe_parked(waiting, {each.name for each in breakers}),
            *describe_hidden(hidden),
        ]
        why = " ".join(causes) or NO_CAUSE
        return f"source {progress.source} is not drained, {_what_waits(progress)}: {why}"

    def result(self) -> Drained:
        """Return the counters of this run, what it refused, and what is still parked."""
        ledger, (sums, (flight, parked, leased)) = self._ledger, self._counted()
        refused = [each for each in ledger.quarantine.entries() if each.last >= self._began]
        flight_before, parked_before, leased_before = self._in_hand
        progress = self.progress()
        return Drained(
            ledger.store.source,
            progress.drained,
            _with_in_hand(
                of_objects(sums), "named", flight_before + parked_before, flight + parked
            ),
            {"in": 0} | under("records", sums),
            by_sink(sums),
            _with_in_hand(of_messages(sums), "received", leased_before, leased),
            refused,
            ledger.parked.list_some(NAMED),
            progress.left,
        )

    def _counted(self) -> tuple[dict[str, int], tuple[int, int, int]]:
        """Return what this run counted, and what is in hand."""
        after, in_hand = self._ledger.sums.read_with_in_hand()
        if any(
            after.get(name, 0) < value for name, value in self._before.items() if _is_count(name)
        ):
            # the ledger was lost and started empty, with nothing in hand
            self._before, self._in_hand = {}, (0, 0, 0)
        change = {name: value - self._before.get(name, 0) for name, value in after.items()}
        return {name: by for name, by in change.items() if by and _is_count(name)}, in_hand


def drain(
    ledgers: Sequence[Ledger],
    *,
    timeout: float,
    stopping: threading.Event,
    watched: Callable[[Sequence[Progress]], None],
) -> DrainResult:
    """Wait until every source is drained, or one cannot be, or *stopping* is set.

    A source cannot be drained if it made no progress for *timeout* seconds, or its queue gives a
    reason in HOPELESS.  Raises redis.RedisError if the broker does not answer for *timeout*
    seconds.
    """
    watches = [DrainWatch(ledger) for ledger in ledgers]
    why, answered = "", time.monotonic()
    while not why and not stopping.wait(CHECK_INTERVAL):
        try:
            now = [watch.progress() for watch in watches]
            why = next(filter(None, map(DrainWatch.why_stuck, watches, now, repeat(timeout))), "")
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() - answered > timeout:
                raise
            continue
        answered = time.monotonic()
        watched(now)
        if all(each.drained for each in now):
            break
    return DrainResult([_retried(watch.result) for watch in watches], why)


def _retried(read: Callable[[], Drained]) -> Drained:
    """Call *read*, for a while again if the broker does not answer: it may be restarting."""
    deadline = time.monotonic() + LAST_READ
    while True:
        try:
            return read()
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() > deadline:
                raise
        time.sleep(CHECK_INTERVAL)


def _with_in_hand(counted: dict[str, int], total: str, before: int, now: int) -> dict[str, int]:
    """Add what was in hand *before* to the *total* of *counted*, and what is in hand *now*."""
    counted[total] += before
    return counted | ({"in-hand": now} if now else {})


def _is_count(name: str) -> bool:
    return not name.startswith("at:")


def _is_finished(name: str) -> bool:
    kind, _, outcome = name.partition(":")
    return kind in FINISHED and outcome.partition(":")[0] in FINISHED[kind]


def _of_queue(breaker: Breaker) -> bool:
    return BreakerName.parse(breaker.name).kind in {"queue", "credentials", "delete"}


def _of_bucket(breaker: Breaker) -> bool:
    return BreakerName.parse(breaker.name).kind == "bucket"


def _what_waits(progress: Progress) -> str:
    if progress.parked:
        return plural(progress.parked, "parked object")
    if progress.messages:
        return f"{plural(progress.messages, 'message')} not deleted"
    if progress.left:
        return f"{plural(progress.left, 'message')} hidden in SQS"
    return "nothing can be received"
