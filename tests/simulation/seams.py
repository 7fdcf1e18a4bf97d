"""What stands between the line and what is not simulated: its facts, metrics and sinks' retries."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

from tests.simulation.clock import HostClock
from tests.simulation.schedule import Schedule
from trailcourier import notifications
from trailcourier.observability import events, log, metrics
from trailcourier.sinks import batches

Fact = Callable[[str, dict[str, Any]], None]


class Stage(NamedTuple):
    """What one world has in place of what is replaced."""

    schedule: Schedule
    fact: Fact
    raises: str

    def clock(self) -> HostClock:
        assert self.schedule.current is not None
        found: HostClock = self.schedule.current.process.clock
        return found


_stages: dict[greenlet, Stage] = {}  # by the greenlet that a world began in
_before: list[tuple[Any, str, Any]] = []


@contextmanager
def replaced(schedule: Schedule, fact: Fact, raises: str) -> Iterator[None]:
    """Tell *fact* what this world does; a message that says *raises* meets an unforeseen error.

    Retries of a batch, which stamina makes, wait in simulated time.  The functions of modules are
    replaced while there is any world, and each call is answered by the world that makes it.
    """
    if not _stages:
        _replace()
    world = getcurrent()
    _stages[world] = Stage(schedule, fact, raises)
    try:
        yield
    finally:
        del _stages[world]
        if not _stages:
            _put_back()


def _stage() -> Stage:
    """That of the world which runs: its own greenlet, or an actor's, whose parent that is."""
    running = getcurrent()
    found = _stages.get(running)
    if found is None:
        assert running.parent is not None
        found = _stages[running.parent]
    return found


def _replace() -> None:
    decode = notifications.decode

    def told(event: str, **fields: Any) -> None:
        assert event in events.EVENTS, event
        _stage().fact(event, fields)

    def decoded(body: str, **given: Any) -> Any:
        if _stage().raises in body[:40]:
            raise RuntimeError("simulated: nobody foresaw this message")
        return decode(body, **given)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * _stage().clock().jitter()

    time = SimpleNamespace(
        monotonic=lambda: _stage().clock().monotonic(),
        sleep=lambda seconds: _stage().clock().wait(seconds),
    )
    seams: list[tuple[Any, str, Any]] = [
        (log, "emit", told),
        (notifications, "decode", decoded),
        (metrics, "count", _nothing),
        (metrics, "observe", _nothing),
        (batches, "time", time),
        (importlib.import_module("tenacity.nap"), "time", time),
        (importlib.import_module("stamina._core"), "random", SimpleNamespace(uniform=uniform)),
    ]
    for module, name, instead in seams:
        _before.append((module, name, getattr(module, name)))
        setattr(module, name, instead)


def _put_back() -> None:
    for module, name, was in _before:
        setattr(module, name, was)
    _before.clear()


def _nothing(*_: Any, **__: Any) -> None:
    pass
