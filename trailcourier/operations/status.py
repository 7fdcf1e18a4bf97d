"""Reads the status of a source: its work in hand and done, what is paused, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.sums import by_sink, of_messages, of_objects, under
from trailcourier.ledger.traces import STEPS, StepTimes
from trailcourier.ledger.workers import FleetRoster
from trailcourier.models import QueueLimits
from trailcourier.operations import expiry, paused, quarantined, standstill
from trailcourier.operations.parked import NAMED, describe_hidden, describe_parked
from trailcourier.operations.source_status import OpenBreaker, SourceStatus, pauses_source
from trailcourier.operations.standstill import Problem
from trailcourier.text import age

SKIPS_TO_MENTION = 100


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
    idle = success if depth and (stalled or any(map(pauses_source, breakers))) else None
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
        waits_for=[paused.waited_for(each) for each in opened],
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
