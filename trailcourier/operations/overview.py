"""What `status` shows: every source, the processes of the fleet, the broker."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import msgspec
from msgspec import Meta

from trailcourier import wiring
from trailcourier.aws.sqs import QueueDepth
from trailcourier.errors import ConfigError, Fault
from trailcourier.ledger import broker
from trailcourier.ledger.broker import BrokerMemory
from trailcourier.ledger.workers import FleetRoster
from trailcourier.line.queue import BACK_OFF_FIRST, BACK_OFF_LAST
from trailcourier.models import QueueLimits
from trailcourier.operations import rates, standstill, status
from trailcourier.operations.source_status import SourceStatus
from trailcourier.operations.standstill import ProcessStatus
from trailcourier.wiring import lines

NEARLY_FULL = 0.9  # the share of its memory from which on the broker is mentioned
AT_ONCE = 8  # queues asked at the same time


class StatusOverview(msgspec.Struct, frozen=True):
    """The status of several sources and of what they share."""

    sources: Annotated[Sequence[SourceStatus], Meta(description="each source, see below")]
    processes: Annotated[
        Sequence[ProcessStatus], Meta(description="each process of the fleet, see below")
    ]
    advice: Annotated[Sequence[str], Meta(description="what to do about the fleet, in sentences")]
    broker: Annotated[BrokerMemory, Meta(description="`used_bytes`, and `most_bytes` or null")]


class _QueueLook(msgspec.Struct, frozen=True):
    """What SQS says of a source's queues; *error* says why the depth is unknown."""

    depth: QueueDepth | None = None
    dead_letters: int | None = None
    error: str = ""


class Observer:
    """Looks at *names* again and again; each look after the first one has a rate.

    A look covers up to *window* seconds: a short one would jump between nothing and a burst.
    """

    def __init__(self, names: Sequence[str], window: float = 0) -> None:
        self._names = names
        self._window = window
        self._looks: list[tuple[float, Mapping[str, SourceStatus]]] = []

    def look(self) -> StatusOverview:
        """Read everything once; raises redis.RedisError if the broker does not answer."""
        found, at = read_overview(self._names), time.monotonic()
        while len(self._looks) > 1 and at - self._looks[1][0] >= self._window:
            del self._looks[0]
        if self._looks:
            then, before = self._looks[0]
            sources = [
                rates.with_rate(each, before[each.source], at - then) for each in found.sources
            ]
            found = msgspec.structs.replace(found, sources=sources)
        self._looks.append((at, {each.source: each for each in found.sources}))
        return found


def read_overview(names: Sequence[str]) -> StatusOverview:
    """Read the status of the sources *names*; raises redis.RedisError if the broker is away."""
    roll, memory = wiring.roll(), broker.read_memory(wiring.client())
    with ThreadPoolExecutor(min(AT_ONCE, len(names))) as pool:
        looks = list(pool.map(_look_at_queues, names))
    return StatusOverview(
        sources=[_source(name, look, roll) for name, look in zip(names, looks, strict=True)],
        processes=standstill.list_processes(roll),
        advice=[*standstill.fleet_advice(roll), *_memory_advice(memory)],
        broker=memory,
    )


def _source(name: str, look: _QueueLook, roll: FleetRoster) -> SourceStatus:
    ledger = wiring.ledger(name)
    visible, limits = (look.depth.visible, look.depth.limits) if look.depth else (None, None)
    found = status.read_status(ledger, visible, look.error, roll=roll, limits=limits)
    refused = ledger.returned.count_refused(
        limits or QueueLimits(), first=BACK_OFF_FIRST, longest=BACK_OFF_LAST
    )
    advice = [*found.advice, *_dead_letter_advice(name, look.dead_letters)]
    return msgspec.structs.replace(
        found, refused_messages=refused, dead_letters=look.dead_letters, advice=advice
    )


def _look_at_queues(name: str) -> _QueueLook:
    """Ask SQS how many messages wait in the source's queue and in its dead-letter queue."""
    try:
        depth = lines.queue(name).depth()
    except (Fault, ConfigError) as error:
        text = f"The depth of the queue is unknown: {str(error).rstrip('.')}."
        return _QueueLook(error=text)
    try:
        dead = lines.open_dead_letters(name)
        waiting = dead.contents().waiting if dead else None
    except Fault:  # the source works without this number
        waiting = None
    return _QueueLook(depth, waiting)


def _dead_letter_advice(name: str, waiting: int | None) -> Iterator[str]:
    if waiting:
        has = "1 message" if waiting == 1 else f"{waiting:,} messages"
        yield (
            f"The dead-letter queue has {has}: `trailcourier dlq list --source {name}` says why. "
            "After the repair, `trailcourier dlq redrive` moves them back."
        )


def _memory_advice(memory: BrokerMemory) -> Iterator[str]:
    if memory.share >= NEARLY_FULL:
        yield (
            f"The broker uses {memory.share:.0%} of its memory. When it is full, nothing is "
            "received: raise its `maxmemory`."
        )
