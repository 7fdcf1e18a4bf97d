"""The status of a source: its work in hand and done, what is paused or stalled, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.left_messages import LeftTotals
from trailcourier.ledger.sums import (
    MESSAGES_HOLD,
    OBJECTS_HOLD,
    SINKS_HOLD,
    by_sink,
    of_messages,
    of_objects,
    under,
)
from trailcourier.ledger.traces import STEPS, StepTimes
from trailcourier.ledger.workers import FleetRoster
from trailcourier.models import QueueLimits
from trailcourier.operations import expiry, paused, quarantined, standstill
from trailcourier.operations.parked import NAMED, describe_hidden, describe_parked
from trailcourier.operations.standstill import Problem
from trailcourier.text import age

SKIPS_TO_MENTION = 100

State = Literal[
    "well", "attention", "paused", "no workers", "two configs", "stalled", "broker fault"
]
STATES: Mapping[standstill.Kind, State] = {
    "broker": "broker fault",
    "no-control-worker": "no workers",
    "no-object-worker": "no workers",
    "two-configurations": "two configs",
}


class OpenBreaker(msgspec.Struct, frozen=True):
    """A breaker that is open: what opened it, and for how many seconds it has been open."""

    name: str
    reason: str
    text: str
    open_seconds: float


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one source."""

    source: Annotated[str, Meta(description="its name")]
    depth: Annotated[
        int | None,
        Meta(description="messages that wait in the queue; null where SQS does not say"),
    ] = None
    messages: Annotated[int, Meta(description="messages leased: received, and not settled yet")]
    oldest_seconds: Annotated[
        float | None,
        Meta(
            description="since the oldest leased message was sent, by the broker's clock less "
            "SQS's; null without any"
        ),
    ]
    in_flight: Annotated[int, Meta(description="objects dispatched and without an outcome")]
    parked: Annotated[int, Meta(description="objects that wait for something to recover")]
    quarantined: Annotated[int, Meta(description="entries in quarantine")]
    evicted: Annotated[
        int, Meta(description="of these, objects without details, because quarantine is full")
    ] = 0
    forgotten: Annotated[
        Mapping[str, int],
        Meta(description="`objects` and `messages` that had no room in quarantine at all"),
    ] = {}
    left: Annotated[
        LeftTotals,
        Meta(
            description="messages hidden in SQS because too many objects of their bucket and "
            "account are parked: for each of the `buckets` how many `messages`, and how many of "
            "these were received too `often` to be released early; in how many `seconds` SQS shows "
            "the last one again"
        ),
    ] = LeftTotals()
    workers: Annotated[int, Meta(description="objects that all live workers forward at once")]
    last_success_seconds: Annotated[
        float | None, Meta(description="since the last object was delivered; null if none was")
    ]
    records: Annotated[
        Mapping[str, int],
        Meta(description="records read, as `in`, and of these filtered, as `filtered:RULE`"),
    ]
    messages_by_outcome: Annotated[
        Mapping[str, int],
        Meta(description=f"{MESSAGES_HOLD}; the others are leased"),
    ]
    objects: Annotated[
        Mapping[str, int],
        Meta(description=f"{OBJECTS_HOLD}; the others are in flight or parked"),
    ]
    unknown_folders: Annotated[
        Mapping[str, int],
        Meta(
            description="objects refused or skipped for a key of no known shape, by its folder, "
            "the most first; `others` beyond fifty folders"
        ),
    ] = {}
    sinks: Annotated[
        Mapping[str, Mapping[str, int]],
        Meta(description=SINKS_HOLD),
    ]
    breakers: Annotated[
        Sequence[OpenBreaker],
        Meta(description="circuit breakers that are open, why, and for how long"),
    ] = ()
    steps: Annotated[
        Mapping[str, float | None],
        Meta(
            description="seconds since each step of the line last left its trace: `tick`, `poll`, "
            "`forward` (of any source), `settle` and `maintenance`; null if it never did"
        ),
    ]
    problems: Annotated[
        Sequence[Problem],
        Meta(
            description="what is missing or stalled: a `kind` for scripts, a `text` and its `fix`"
        ),
    ] = ()
    receives: Annotated[int, Meta(description="the highest receive count of a leased message")] = 0
    patience_used: Annotated[
        float | None,
        Meta(
            description="the share that the worst message has used of the receives or of the time "
            "after which the queue gives it up, 1 for all of it; null where SQS does not say"
        ),
    ] = None
    advice: Annotated[Sequence[str], Meta(description="what to do, a sentence or two each")] = ()

    @property
    def state(self) -> State:
        """The state in a word or two; "well" only if each step of the line left its trace."""
        if self.pausing:
            return "paused"
        if self.problems:
            return STATES.get(self.problems[0].kind, "stalled")
        return "attention" if self.advice else "well"

    @property
    def moves(self) -> bool:
        """Whether nothing keeps the source from delivering records."""
        return not self.pausing and not self.problems

    @property
    def pausing(self) -> list[OpenBreaker]:
        """The open breakers that pause the source; one of a single host pauses that host alone."""
        return [each for each in self.breakers if _pauses_source(each)]


def read_status(
    ledger: Ledger,
    depth: int | None = None,
    depth_error: str = "",
    *,
    roll: FleetRoster | None = None,
    limits: QueueLimits | None = None,
) -> SourceStatus:
    """Read the status of the source of *ledger*; writes nothing.

    *depth* is how many messages wait in its queue, or *depth_error* why that is unknown.  *roll*
    and *limits* are the fleet and the limits of the queue if the caller has read them already.
    """
    (sums, in_hand), times = ledger.sums.read_with_in_hand(), ledger.traces.read()
    now, roll = times.now, roll or ledger.workers.list_processes()
    opened = ledger.breakers.list_open()
    breakers = [_open(each, now) for each in opened]
    leased, success = ledger.leases.measure_held(), _seconds_since(sums.get("at:success"), now)
    stalled, oldest = problems(ledger, roll, times), _seconds_since(leased.oldest, now)
    idle = success if depth and (stalled or any(map(_pauses_source, breakers))) else None
    patience = limits or ledger.depth.read_limits(), leased.receives, _longest(oldest, idle)
    advice = [depth_error, *expiry.warnings(*patience), *_advice(ledger, opened, now)]
    if not (stalled or breakers):
        advice += _nothing_received(ledger, times)
    return SourceStatus(
        source=ledger.store.source,
        depth=depth,
        oldest_seconds=oldest,
        workers=roll.threads,
        last_success_seconds=success,
        breakers=breakers,
        steps=step_ages(times),
        problems=stalled,
        receives=leased.receives,
        patience_used=expiry.used(*patience),
        advice=list(filter(None, advice)),
        **_counted(sums, in_hand),
        **_set_aside(ledger),
    )


def _counted(sums: Mapping[str, int], in_hand: tuple[int, int, int]) -> dict[str, Any]:
    """Return the fields of a status that come from the ledger's sums and from work in hand."""
    flight, parked, leases = in_hand
    return {
        "messages": leases,
        "in_flight": flight,
        "parked": parked,
        "forgotten": quarantined.forgotten(sums),
        "records": {"in": 0} | under("records", sums),
        "messages_by_outcome": of_messages(sums),
        "objects": of_objects(sums),
        "sinks": by_sink(sums),
    }


def _set_aside(ledger: Ledger) -> dict[str, Any]:
    """Return the fields of a status about what no worker forwards: quarantined or hidden."""
    return {
        "quarantined": ledger.quarantine.count(),
        "evicted": ledger.quarantine.count_evicted(),
        "unknown_folders": ledger.sums.read_folders(),
        "left": ledger.left.total(),
    }


def _pauses_source(breaker: OpenBreaker) -> bool:
    return "@" not in breaker.name


def _longest(leased: float | None, delivered: float | None) -> float | None:
    """Return the longest wait of a message that is *leased*, or that nobody receives.

    Where nothing is received, the oldest message may have waited since the last delivery,
    *delivered* seconds ago.
    """
    return max((each for each in (leased, delivered) if each is not None), default=None)


def problems(ledger: Ledger, roll: FleetRoster, times: StepTimes) -> list[Problem]:
    """Return the problems of the fleet in *roll* and of the source whose steps left *times*."""
    numbers = ledger.store.numbers
    return [*standstill.fleet_problems(roll), *standstill.source_problems(roll, times, numbers)]


def step_ages(times: StepTimes) -> dict[str, float | None]:
    """Return the seconds since each step left its trace, None if it never did."""
    return {step: _seconds_since(times.last.get(step), times.now) for step in STEPS}


def _seconds_since(at: int | None, now: int) -> float | None:
    return None if at is None else max(0, now - at) / 1000  # the broker's clock may be put back


def _open(breaker: Breaker, now: int) -> OpenBreaker:
    since = max(0, now - breaker.since) / 1000
    return OpenBreaker(breaker.name, breaker.reason, breaker.text, since)


def _nothing_received(ledger: Ledger, times: StepTimes) -> Iterator[str]:
    """Say why nothing was received for a while, although the source is polled."""
    idle = _seconds_since(times.received, times.now)
    bound = standstill.allowed_silence("poll", ledger.store.numbers)
    if times.waiting is not None and idle is not None and idle > bound:
        waits = age(_seconds_since(times.waiting, times.now))
        yield (
            f"Nothing was received for {age(idle)}: as many objects are in flight as workers may "
            f"take, the oldest of them for {waits}. If that goes on, see the log of the object "
            "workers, or start more of them."
        )


def _advice(ledger: Ledger, breakers: Sequence[Breaker], now: int) -> Iterator[str]:
    longest_pause = ledger.store.numbers.breaker_probe
    for each in breakers:
        yield paused.describe(each, now, longest_pause)
    behind = {each.name for each in breakers}
    for cause in describe_parked(ledger.parked.list_some(NAMED), behind):
        yield f"{cause} Workers retry parked objects."
    yield from describe_hidden(ledger.left.total())
    reason, row = ledger.sums.read_skip_run()
    if row >= SKIPS_TO_MENTION:
        yield (
            f"The last {row} objects were skipped as {reason}. If that is not intended, check what "
            "the queue is subscribed to."
        )
    if ledger.mode.is_degraded():
        hold = age(ledger.store.numbers.visibility_degraded)
        yield (
            f"AWS denies changing the visibility of messages, so each is received for {hold} and "
            "none is released early. Allow `sqs:ChangeMessageVisibility` on the queue."
        )
    yield from quarantined.remarks(ledger)
