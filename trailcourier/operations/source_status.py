"""What `status` says of one source."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trailcourier.ledger.left_messages import LeftTotals
from trailcourier.ledger.sums import MESSAGES_HOLD, OBJECTS_HOLD, SINKS_HOLD
from trailcourier.operations import standstill
from trailcourier.operations.standstill import Problem

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


class DeliveryRate(msgspec.Struct, frozen=True):
    """How fast a source was between two looks."""

    seconds: Annotated[float, Meta(description="between the two looks")]
    records: Annotated[float, Meta(description="records read each second")]
    objects: Annotated[float, Meta(description="objects that came to an end each second")]
    messages: Annotated[float, Meta(description="messages that came to an end each second")]
    backlog_seconds: Annotated[
        float | None,
        Meta(
            description="until the queued and leased messages are done at this rate, if no others "
            "come; null where that cannot be said"
        ),
    ] = None


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
    refused_messages: Annotated[
        int | None,
        Meta(
            description="refused messages that are still in the queue, until SQS moves them to the "
            "dead-letter queue; null where not read"
        ),
    ] = None
    dead_letters: Annotated[
        int | None,
        Meta(description="messages in the dead-letter queue; null without one, or where unknown"),
    ] = None
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
    waits_for: Annotated[
        Sequence[str],
        Meta(description="what the source waits for: each open breaker's thing, and its error"),
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
    rate: Annotated[
        DeliveryRate | None,
        Meta(description="how fast the source delivers; null unless measured"),
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
        return [each for each in self.breakers if pauses_source(each)]


def pauses_source(breaker: OpenBreaker) -> bool:
    """Whether *breaker* pauses the whole source, not only the work of one host."""
    return "@" not in breaker.name
