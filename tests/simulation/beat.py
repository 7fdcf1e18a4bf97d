"""The simulated clock: it sends ticks, two of each kind at most, and may be late."""

from collections.abc import Callable
from typing import Literal

from tests.simulation.broker import SimBroker
from tests.simulation.process import FORESEEN, SimProcess
from trailcourier.ledger.workers import BEAT


class Beat:
    """What *process* does; *next_at* says when the next tick comes, so many milliseconds on."""

    def __init__(
        self,
        process: SimProcess,
        broker: SimBroker,
        next_at: Callable[[int], int],
        *,
        polls: int,
        tends: int,
    ) -> None:
        self.process = process
        self._broker = broker
        self._next_at = next_at
        self._polls = polls  # ms between two ticks
        self._tends = tends

    def start(self) -> None:
        process = self.process
        process.spawn("pulse", lambda: process.pulse(BEAT, 0))
        process.spawn("polls", lambda: self._send("poll", self._polls))
        process.spawn("tends", lambda: self._send("maintenance", self._tends))

    def stop(self) -> None:
        self.process.stopping.set()

    def _send(self, tick: Literal["poll", "maintenance"], pause: int) -> None:
        process, store = self.process, self.process.line.ledger.store
        while not process.stopping.is_set():
            try:
                self._broker.tick(store, tick)
            except FORESEEN as error:
                process.say("tick not sent", repr(error))
            process.stopping.wait((self._next_at(pause) - process.schedule.now) / 1000)
        if tick == "maintenance":
            process.end()
