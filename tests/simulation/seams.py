"""What stands between the line and what is not simulated: its facts, metrics and sinks' retries."""

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.simulation.clock import HostClock
from tests.simulation.schedule import Schedule
from trailcourier import facts, metrics, notifications, observe

Fact = Callable[[str, dict[str, Any]], None]

_decode = notifications.decode


def install(schedule: Schedule, fact: Fact, raises: str) -> None:
    """Tell *fact* what is observed; a message that says *raises* meets an unforeseen error."""

    def told(event: str, **fields: Any) -> None:
        assert event in facts.FACTS, event
        fact(event, fields)

    def decode(body: str, **given: Any) -> Any:
        if raises in body[:40]:
            raise RuntimeError("simulated: nobody foresaw this message")
        return _decode(body, **given)

    observe.fact = told
    notifications.decode = decode
    metrics.count = metrics.measured = lambda *_labels, **_more: None
    _time_of_retries(schedule)


def _time_of_retries(schedule: Schedule) -> None:
    """Have the retries of a batch, which stamina makes, wait in simulated time."""

    def clock() -> HostClock:
        assert schedule.current is not None
        found: HostClock = schedule.current.process.clock
        return found

    time = SimpleNamespace(
        monotonic=lambda: clock().monotonic(), sleep=lambda seconds: clock().wait(seconds)
    )
    for name in ("trailcourier.sinks.sending", "tenacity.nap"):
        importlib.import_module(name).time = time
    uniform = SimpleNamespace(uniform=lambda low, high: low + (high - low) * clock().jitter())
    importlib.import_module("stamina._core").random = uniform
