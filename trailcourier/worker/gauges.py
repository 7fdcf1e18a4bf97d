"""Exports the status of every source and of the fleet as gauges."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import get_args

import msgspec
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trailcourier import wiring
from trailcourier.ledger import Ledger
from trailcourier.ledger.workers import ROLES, FleetRoster
from trailcourier.observability.metrics import METRICS
from trailcourier.operations import quarantined, standstill
from trailcourier.operations.source_status import SourceStatus
from trailcourier.operations.status import problems, read_status, step_ages

MAX_AGE = 90.0  # seconds for which a sample of the fleet and of the steps is exported

Values = Iterable[tuple[Mapping[str, str], float | None]]
"""Values of one gauge, each with its labels other than the source; None is not exported."""


class LineMovement(msgspec.Struct, frozen=True):
    """Whether one source's line moves: seconds since each step's trace, and its problems."""

    source: str
    steps: Mapping[str, float | None]
    problems: frozenset[str]

    @classmethod
    def of(cls, status: SourceStatus) -> "LineMovement":
        return cls(status.source, status.steps, frozenset(each.kind for each in status.problems))

    @classmethod
    def read(cls, ledger: Ledger, roll: FleetRoster) -> "LineMovement":
        """Read only the traces from *ledger*, which is cheaper than a whole status."""
        times = ledger.traces.read()
        kinds = frozenset(each.kind for each in problems(ledger, roll, times))
        return cls(ledger.store.source, step_ages(times), kinds)


def _last_success(status: SourceStatus, at: float) -> Values:
    since = status.last_success_seconds
    return [({}, None if since is None else at - since)]


def _breakers(status: SourceStatus, _: float) -> Values:
    return [({"breaker": each.name, "reason": each.reason}, 1) for each in status.breakers]


GAUGES: dict[str, Callable[[SourceStatus, float], Values]] = {
    "queue_messages": lambda look, _: [({}, look.depth)],
    "messages_held": lambda look, _: [({}, look.messages)],
    "oldest_message_seconds": lambda look, _: [({}, look.oldest_seconds or 0)],
    "objects_in_flight": lambda look, _: [({}, look.in_flight)],
    "objects_parked": lambda look, _: [({}, look.parked)],
    "messages_left": lambda look, _: [({}, look.left.messages)],
    "quarantine_entries": lambda look, _: [({}, look.quarantined)],
    "quarantine_forgotten": lambda look, _: [
        ({"kind": kind}, look.forgotten.get(kind, 0)) for kind in quarantined.FORGOTTEN
    ],
    "object_threads": lambda look, _: [({}, look.workers)],
    "last_success_timestamp_seconds": _last_success,
    "breaker_open": _breakers,
    "patience_used_ratio": lambda look, _: [({}, look.patience_used)],
    "sampled_timestamp_seconds": lambda _, at: [({}, at)],
}
"""Exported by control workers for each source."""

STEPS: dict[str, Callable[[LineMovement], Values]] = {
    "step_seconds": lambda look: [({"step": step}, age) for step, age in look.steps.items()],
    "standstill": lambda look: [
        ({"kind": kind}, kind in look.problems) for kind in get_args(standstill.Kind)
    ],
}
"""Exported by every worker for each source."""

FLEET: dict[str, Callable[[FleetRoster], Values]] = {
    "processes": lambda roll: [({"role": role}, len(roll.alive(role))) for role in ROLES],
    "clock_ahead_seconds": lambda roll: [
        ({"host": each.presence.host, "process": each.name}, each.presence.ahead)
        for each in roll.seen
        if each.alive
    ],
}
"""Exported by every worker for the fleet."""


class Samples(Collector):
    """Keeps the latest sample of every source; a scrape exports it without calling anything.

    If not *whole*, it samples only the fleet and the steps: so object workers still report that
    no control worker is left to export the rest.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._statuses: Sequence[tuple[SourceStatus, float]] = ()
        self._moving: Sequence[LineMovement] = ()
        self._roll: FleetRoster | None = None
        self._taken = 0.0  # monotonic

    def take(self) -> None:
        """Sample every source; raises RedisError, and then keeps the older sample."""
        roll = wiring.roll()
        ledgers = [wiring.ledger(name) for name in wiring.settings().sources]
        if self._whole:
            statuses = [read_status(each, each.depth.read(), roll=roll) for each in ledgers]
            self._statuses = [(each, time.time()) for each in statuses]
            self._moving = [LineMovement.of(each) for each in statuses]
        else:
            self._moving = [LineMovement.read(each, roll) for each in ledgers]
        self._roll, self._taken = roll, time.monotonic()

    def collect(self) -> Iterator[Metric]:
        for name, values in GAUGES.items():
            yield _family(name, [(each.source, values(each, at)) for each, at in self._statuses])
        # a sample from before the broker went away is outdated; other workers may have a newer one
        recent = time.monotonic() - self._taken <= MAX_AGE
        moving, roll = (self._moving, self._roll) if recent else ((), None)
        for name, of_steps in STEPS.items():
            yield _family(name, [(each.source, of_steps(each)) for each in moving])
        for name, of_roll in FLEET.items():
            yield _family(name, [("", of_roll(roll))] if roll else [])

    def describe(self) -> Iterator[Metric]:
        """Return the names of the gauges without sampling."""
        return self.collect()


def _family(name: str, samples: Iterable[tuple[str, Values]]) -> Metric:
    """Return the gauge *name* with the values of each source."""
    metric = METRICS[name]
    family = GaugeMetricFamily(f"trailcourier_{name}", metric.text, labels=metric.labels)
    for source, values in samples:
        for labels, value in values:
            if value is not None:
                each = {"source": source, **labels}
                family.add_metric([each[label] for label in metric.labels], value)
    return family
