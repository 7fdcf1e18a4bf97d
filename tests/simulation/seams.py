"""What stands between the line and what is not simulated: its facts, metrics and sinks' retries."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from tests.simulation.clock import HostClock
from tests.simulation.schedule import Schedule
from trailcourier import facts, metrics, notifications, observe
from trailcourier.sinks import sending

Fact = Callable[[str, dict[str, Any]], None]


@contextmanager
def replaced(schedule: Schedule, fact: Fact, raises: str) -> Iterator[None]:
    """Tell *fact* what is observed; a message that says *raises* meets an unforeseen error.

    Retries of a batch, which stamina makes, wait in simulated time.
    """
    decode = notifications.decode

    def told(event: str, **fields: Any) -> None:
        assert event in facts.FACTS, event
        fact(event, fields)

    def decoded(body: str, **given: Any) -> Any:
        if raises in body[:40]:
            raise RuntimeError("simulated: nobody foresaw this message")
        return decode(body, **given)

    def clock() -> HostClock:
        assert schedule.current is not None
        found: HostClock = schedule.current.process.clock
        return found

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * clock().jitter()

    time = SimpleNamespace(
        monotonic=lambda: clock().monotonic(), sleep=lambda seconds: clock().wait(seconds)
    )
    seams: list[tuple[Any, str, Any]] = [
        (observe, "fact", told),
        (notifications, "decode", decoded),
        (metrics, "count", _nothing),
        (metrics, "measured", _nothing),
        (sending, "time", time),
        (importlib.import_module("tenacity.nap"), "time", time),
        (importlib.import_module("stamina._core"), "random", SimpleNamespace(uniform=uniform)),
    ]
    before = [getattr(module, name) for module, name, _ in seams]
    for module, name, instead in seams:
        setattr(module, name, instead)
    try:
        yield
    finally:
        for (module, name, _), was in zip(seams, before, strict=True):
            setattr(module, name, was)


def _nothing(*_: Any, **__: Any) -> None:
    pass
