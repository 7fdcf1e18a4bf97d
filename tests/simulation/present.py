"""What the line takes from the standard library instead of from a clock that is handed in.

Here for as long as it does: the module globals ``time``, ``secrets`` and ``random`` of the parts
that run in the simulation answer from the clock of the actor that runs.
"""

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.simulation.clock import module_time
from tests.simulation.schedule import Schedule
from trailcourier import facts, metrics, notifications, observe
from trailcourier.errors import Fault
from trailcourier.line.process import Process

TIMED = ("line.carry", "line.passage", "line.process", "line.queue", "line.receive", "line.settle",
         "sinks.sending", "drain")  # fmt: skip
_decode = notifications.decode


def install(schedule: Schedule, fact: Callable[[str, dict[str, Any]], None], raises: str) -> None:
    """Have everything ask *schedule*, and tell *fact* what is observed."""
    time = module_time(schedule)
    secrets = SimpleNamespace(token_hex=lambda _n: schedule.current.process.clock.token())
    for name in TIMED:
        module = importlib.import_module(f"trailcourier.{name}")
        if hasattr(module, "time"):
            module.time = time
    for name in ("line.carry", "ledger.flow"):
        module = importlib.import_module(f"trailcourier.{name}")
        if hasattr(module, "secrets"):
            module.secrets = secrets
    importlib.import_module("tenacity.nap").time = time
    random = SimpleNamespace(uniform=lambda a, b: a + (b - a) * schedule.current.process.clock.jitter())
    importlib.import_module("stamina._core").random = random

    def told(event: str, **fields: Any) -> None:
        assert event in facts.FACTS, event
        fact(event, fields)

    observe.fact = told
    metrics.count = metrics.measured = lambda *_a, **_k: None

    def decode(body: str, **given: Any) -> Any:
        if raises in body[:40]:
            raise RuntimeError("simulated: nobody foresaw this message")
        return _decode(body, **given)

    notifications.decode = decode


class Condition:
    """Stands in for ``threading.Condition`` where only one actor runs at a time."""

    def __init__(self, schedule: Schedule) -> None:
        from tests.simulation.schedule import Signal

        self._schedule = schedule
        self._changed = Signal()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def wait_for(self, true: Callable[[], bool], timeout: float | None = None) -> bool:
        ends = self._schedule.now + round((10**6 if timeout is None else timeout) * 1000)
        while not true():
            if self._schedule.now >= ends:
                return False
            self._schedule.wait(self._changed, ends - self._schedule.now)
        return True

    def notify_all(self) -> None:
        self._schedule.fire(self._changed)


def process(schedule: Schedule, *, memory: int, claim: float, stall: float) -> Process:
    """A Process whose claims no thread of its own renews."""
    made = Process(memory=memory, claim=claim, stall=stall)
    made.budget._freed = Condition(schedule)
    made.gate._changed = Condition(schedule)
    made.holds._thread = SimpleNamespace(is_alive=lambda: True)
    return made


__all__ = ["Fault", "install", "process"]
