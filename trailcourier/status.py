"""How each source stands: what is in hand, what was done, what holds it up and what to do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from trailcourier import expiry, quarantined, standstill
from trailcourier.dispositions import advice
from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.left import LeftMessages
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
from trailcourier.ledger.workers import Roll
from trailcourier.models import QueueLimits
from trailcourier.parked import NAMED, causes, left
from trailcourier.printable import age, printable
from trailcourier.standstill import Problem

SKIPS_TO_MENTION = 100

State = Literal[
    "well", "see below", "held up", "no workers", "two configs", "stands still", "broker"
]
STATES: Mapping[standstill.Kind, State] = {
    "broker": "broker",
    "no-control-worker": "no workers",
    "no-object-worker": "no workers",
    "two-configurations": "two configs",
}


class OpenBreaker(msgspec.Struct, frozen=True):
    """A breaker that is open, and what opened it."""

    name: str
    reason: str
    text: str
    open_seconds: float


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One source."""

    source: Annotated[str, Meta(description="its name")]
    depth: Annotated[
        int | None,
        Meta(description="messages that wait in the queue; null where SQS does not say"),
    ] = None
    messages: Annotated[int, Meta(description="messages held: received, and not settled yet")]
    oldest_seconds: Annotated[
        float | None,
        Meta(
            description="since the oldest message held was sent, by the broker's clock less SQS's; "
            "null without any"
        ),
    ]
    in_flight: Annotated[int, Meta(description="objects given to workers and not done")]
    parked: Annotated[int, Meta(description="objects that wait for an operator, or for time")]
    quarantined: Annotated[int, Meta(description="entries in quarantine")]
    evicted: Annotated[
        int, Meta(description="of these, objects without details, for want of room")
    ] = 0
    forgotten: Annotated[
        Mapping[str, int],
        Meta(description="`objects` and `messages` that had no room in quarantine at all"),
    ] = {}
    left: Annotated[
        LeftMessages,
        Meta(
            description="messages left to the queue and hidden there, as too many objects of their "
            "bucket and account are parked: of each of the `buckets` how many `messages`, and how "
            "many of these were received too `often` to be handed back early; in how many "
            "`seconds` the last comes back by itself"
        ),
    ] = LeftMessages()
    workers: Annotated[int, Meta(description="objects that all live workers carry at once")]
    last_success_seconds: Annotated[
        float | None, Meta(description="since the last object was delivered; null if none was")
    ]
    records: Annotated[
        Mapping[str, int],
        Meta(description="records read, as `in`, and of these filtered, as `filtered:RULE`"),
    ]
    messages_by_outcome: Annotated[
        Mapping[str, int],
        Meta(description=f"{MESSAGES_HOLD}; the others are held"),
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
        Meta(description="what is left alone after failures, why, and for how long"),
    ] = ()
    steps: Annotated[
        Mapping[str, float | None],
        Meta(
            description="seconds since each step of the line last did its work, `tick`, `poll`, "
            "`forward` (of any source), `settle` and `tend`; null if it never did"
        ),
    ]
    problems: Annotated[
        Sequence[Problem],
        Meta(description="what does not move: a `kind` for scripts, and a `text` that says more"),
    ] = ()
    receives: Annotated[
        int, Meta(description="how often the message held that was received most was received")
    ] = 0
    patience_used: Annotated[
        float | None,
        Meta(
            description="the part of the receives or of the time after which the queue gives up a "
            "message, used by the worst one, 1 for all of it; null where SQS does not say"
        ),
    ] = None
    advice: Annotated[Sequence[str], Meta(description="what to do, a sentence or two each")] = ()

    @property
    def state(self) -> State:
        """How it stands, in a word or two; well only if each step of the line left its trace."""
        if self.holding:
            return "held up"
        if self.problems:
            return STATES.get(self.problems[0].kind, "stands still")
        return "see below" if self.advice else "well"

    @property
    def moves(self) -> bool:
        """Whether nothing keeps records from being carried."""
        return not self.holding and not self.problems

    @property
    def holding(self) -> list[OpenBreaker]:
        """The breakers that hold the source up; a host's own leaves its work to other hosts."""
        return [each for each in self.breakers if _holds(each)]


def standing(
    ledger: Ledger,
    depth: int | None = None,
    trouble: str = "",
    *,
    roll: Roll | None = None,
    limits: QueueLimits | None = None,
) -> Standing:
    """How the source of *ledger* stands.

    *depth* is how many messages wait in its queue, *trouble* why that is not known; *roll* is who
    is at work and *limits* the queue's, where these were asked already.
    """
    (sums, in_hand), times = ledger.sums.and_in_hand(), ledger.traces.last()
    now, roll = times.now, roll or ledger.workers.roll()
    breakers = [_open(each, now) for each in ledger.breakers.open()]
    held, success = ledger.leases.held(), _since(sums.get("at:success"), now)
    still, oldest = problems(ledger, roll, times), _since(held.oldest, now)
    idle = success if depth and (still or any(map(_holds, breakers))) else None
    patience = limits or ledger.depth.limits(), held.receives, _longest(oldest, idle)
    return Standing(
        source=ledger.store.source,
        depth=depth,
        oldest_seconds=oldest,
        workers=roll.threads,
        last_success_seconds=success,
        breakers=breakers,
        steps=ages(times),
        problems=still,
        receives=held.receives,
        patience_used=expiry.used(*patience),
        advice=[
            *filter(None, [trouble]), *expiry.warnings(*patience), *_advice(ledger, breakers),
            *([] if still or breakers else _nothing_received(ledger, times)),
        ],
        **_counted(sums, in_hand),
        **_put_by(ledger),
    )  # fmt: skip


def _counted(sums: Mapping[str, int], in_hand: tuple[int, int, int]) -> dict[str, Any]:
    """What a Standing has of the ledger's sums, and of what is in hand."""
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


def _put_by(ledger: Ledger) -> dict[str, Any]:
    """What a Standing has of what nobody works on."""
    return {
        "quarantined": ledger.quarantine.size(),
        "evicted": ledger.quarantine.evicted(),
        "unknown_folders": ledger.sums.folders(),
        "left": ledger.left.all(),
    }


def _holds(breaker: OpenBreaker) -> bool:
    return "@" not in breaker.name


def _longest(held: float | None, delivered: float | None) -> float | None:
    """The longest wait there may be: of a message held, or of those that nobody receives.

    These are as old as the last delivery, *delivered* seconds ago, where nothing is received.
    """
    return max((each for each in (held, delivered) if each is not None), default=None)


def problems(ledger: Ledger, roll: Roll, times: StepTimes) -> list[Problem]:
    """What does not move, of the fleet in *roll* and of the source that left *times*."""
    numbers = ledger.store.numbers
    return [*standstill.of_fleet(roll), *standstill.of_source(roll, times, numbers)]


def ages(times: StepTimes) -> dict[str, float | None]:
    """Seconds since each step last did its work; None if it never did."""
    return {step: _since(times.last.get(step), times.now) for step in STEPS}


def _since(at: int | None, now: int) -> float | None:
    return None if at is None else max(0, now - at) / 1000  # the broker's clock may be put back


def _open(breaker: Breaker, now: int) -> OpenBreaker:
    since = max(0, now - breaker.since) / 1000
    return OpenBreaker(breaker.name, breaker.reason, breaker.text, since)


def _nothing_received(ledger: Ledger, times: StepTimes) -> Iterator[str]:
    """Why the queue has not been asked for a while, though polls come."""
    since, bound = _since(times.received, times.now), standstill.bound("poll", ledger.store.numbers)
    if times.waiting is not None and since is not None and since > bound:
        waits = age(_since(times.waiting, times.now))
        yield (
            f"Nothing was received for {age(since)}: as many objects are in flight as may be, the "
            f"oldest of them for {waits}. If that goes on, see the log of the object workers, or "
            "start more of them."
        )


def _advice(ledger: Ledger, breakers: Sequence[OpenBreaker]) -> Iterator[str]:
    longest = ledger.store.numbers.breaker_probe
    again = f"tried again after {longest / 6:g} s at first and every {longest:g} s at last"
    for each in breakers:
        what = f"{each.name} is open, and {again}: {printable(each.text).rstrip('.')}."
        yield f"{what} {advice(each.reason, each.name)}".rstrip()
    behind = {each.name for each in breakers}
    for cause in causes(ledger.parked.waiting(NAMED), behind):
        yield f"Parked, and tried again by itself: {cause}"
    yield from left(ledger.left.all())
    reason, row = ledger.sums.skip_run()
    if row >= SKIPS_TO_MENTION:
        yield (
            f"The last {row} objects were skipped as {reason}. If that is not intended, look at "
            "what the queue is subscribed to."
        )
    if ledger.flow.degraded():
        yield (
            "Visibility cannot be changed, so messages are received for an hour and nothing is "
            "given back early. Allow `sqs:ChangeMessageVisibility` on the queue."
        )
    yield from quarantined.remarks(ledger)
