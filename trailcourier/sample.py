"""Samples of how every source stands, as gauges."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import get_args

import msgspec
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trailcourier import quarantined, standstill, wiring
from trailcourier.ledger import Ledger
from trailcourier.ledger.workers import ROLES, Roll
from trailcourier.metrics import METRICS
from trailcourier.status import Standing, ages, problems, standing

KNOWN = 90.0  # seconds for which a look says what moves

Told = Iterable[tuple[Mapping[str, str], float | None]]
"""Values of one gauge, each with the labels it has beside the source; None is not told."""


class Moving(msgspec.Struct, frozen=True):
    """Whether one source's line moves: seconds since each step, and what stands still."""

    source: str
    steps: Mapping[str, float | None]
    problems: frozenset[str]

    @classmethod
    def of(cls, look: Standing) -> "Moving":
        return cls(look.source, look.steps, frozenset(each.kind for each in look.problems))

    @classmethod
    def asked(cls, ledger: Ledger, roll: Roll) -> "Moving":
        """Ask *ledger* for its traces, and for no more."""
        times = ledger.traces.last()
        kinds = frozenset(each.kind for each in problems(ledger, roll, times))
        return cls(ledger.store.source, ages(times), kinds)


def _succeeded(look: Standing, at: float) -> Told:
    since = look.last_success_seconds
    return [({}, None if since is None else at - since)]


def _breakers(look: Standing, _: float) -> Told:
    return [({"breaker": each.name, "reason": each.reason}, 1) for each in look.breakers]


GAUGES: dict[str, Callable[[Standing, float], Told]] = {
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
    "last_success_timestamp_seconds": _succeeded,
    "breaker_open": _breakers,
    "patience_used_ratio": lambda look, _: [({}, look.patience_used)],
    "sampled_timestamp_seconds": lambda _, at: [({}, at)],
}
"""Told by those that poll, of each source."""

STEPS: dict[str, Callable[[Moving], Told]] = {
    "step_seconds": lambda look: [({"step": step}, age) for step, age in look.steps.items()],
    "standstill": lambda look: [
        ({"kind": kind}, kind in look.problems) for kind in get_args(standstill.Kind)
    ],
}
"""Told by every worker, of each source."""

FLEET: dict[str, Callable[[Roll], Told]] = {
    "processes": lambda roll: [({"role": role}, len(roll.alive(role))) for role in ROLES],
    "clock_ahead_seconds": lambda roll: [
        ({"host": each.presence.host, "process": each.name}, each.presence.ahead)
        for each in roll.seen
        if each.alive
    ],
}
"""Told by every worker."""


class Samples(Collector):
    """The latest look at every source; a scrape tells it and asks nobody.

    One that is not *whole* looks only at who is there and what moves, so that those who carry
    objects tell of a control worker that is gone, with it all that it told.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._looks: Sequence[tuple[Standing, float]] = ()
        self._moving: Sequence[Moving] = ()
        self._roll: Roll | None = None
        self._taken = 0.0  # monotonic

    def take(self) -> None:
        """Look at every source; raises RedisError, and then tells the older look."""
        roll = wiring.roll()
        ledgers = [wiring.ledger(name) for name in wiring.settings().sources]
        if self._whole:
            looks = [standing(each, each.depth.last(), roll=roll) for each in ledgers]
            self._looks = [(each, time.time()) for each in looks]
            self._moving = [Moving.of(each) for each in looks]
        else:
            self._moving = [Moving.asked(each, roll) for each in ledgers]
        self._roll, self._taken = roll, time.monotonic()

    def collect(self) -> Iterator[Metric]:
        for name, values in GAUGES.items():
            told = [(look.source, values(look, at)) for look, at in self._looks]
            yield _family(name, told)
        # what moved when we last had a broker says nothing of now, and others know it
        known = time.monotonic() - self._taken <= KNOWN
        moving, roll = (self._moving, self._roll) if known else ((), None)
        for name, of_steps in STEPS.items():
            yield _family(name, [(each.source, of_steps(each)) for each in moving])
        for name, of_roll in FLEET.items():
            yield _family(name, [("", of_roll(roll))] if roll else [])

    def describe(self) -> Iterator[Metric]:
        """Tell the names without a look."""
        return self.collect()


def _family(name: str, told: Iterable[tuple[str, Told]]) -> Metric:
    """The gauge *name* with what is *told* of each source."""
    metric = METRICS[name]
    family = GaugeMetricFamily(f"trailcourier_{name}", metric.text, labels=metric.labels)
    for source, values in told:
        for labels, value in values:
            if value is not None:
                each = {"source": source, **labels}
                family.add_metric([each[label] for label in metric.labels], value)
    return family
