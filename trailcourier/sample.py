"""Samples of how every source stands, as gauges."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trailcourier import wiring
from trailcourier.metrics import METRICS
from trailcourier.status import Standing, standing

Told = Iterable[tuple[Mapping[str, str], float | None]]
"""Values of one gauge, each with the labels it has beside the source; None is not told."""


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
    "quarantine_entries": lambda look, _: [({}, look.quarantined)],
    "object_threads": lambda look, _: [({}, look.workers)],
    "last_success_timestamp_seconds": _succeeded,
    "breaker_open": _breakers,
    "sampled_timestamp_seconds": lambda _, at: [({}, at)],
}


class Samples(Collector):
    """The latest look at every source; a scrape tells it and asks nobody."""

    def __init__(self) -> None:
        self._looks: Sequence[tuple[Standing, float]] = ()

    def take(self) -> None:
        """Look at every source; raises RedisError, and then tells the older look."""
        names = wiring.settings().sources
        ledgers = [wiring.ledger(name) for name in names]
        self._looks = [(standing(each, each.depth.last()), time.time()) for each in ledgers]

    def collect(self) -> Iterator[Metric]:
        for name, values in GAUGES.items():
            metric = METRICS[name]
            family = GaugeMetricFamily(f"trailcourier_{name}", metric.text, labels=metric.labels)
            for look, at in self._looks:
                for labels, value in values(look, at):
                    if value is not None:
                        each = {"source": look.source, **labels}
                        family.add_metric([each[label] for label in metric.labels], value)
            yield family

    def describe(self) -> Iterator[Metric]:
        """Tell the names without a look."""
        return self.collect()
