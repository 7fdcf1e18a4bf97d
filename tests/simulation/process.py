"""One simulated operating system process: its clock, its actors, and what it has in hand."""

from collections.abc import Callable

import msgspec
import redis
from kombu.exceptions import KombuError

from tests.simulation.clock import HostClock, Stop
from tests.simulation.points import Points
from tests.simulation.schedule import Signal
from trailcourier.errors import TrailcourierError
from trailcourier.ledger.workers import Presence
from trailcourier.line import Line

FORESEEN = (TrailcourierError, redis.RedisError, KombuError)
"""What ``tasks.line`` foresees: a task that meets it fails, and the worker goes on."""

PULSE = 10  # seconds
OVERTAKEN = 30  # forwards


class SimProcess:
    """A process on *host*, whose disk and network it uses; its calls take *slow* times as long."""

    def __init__(self, name: str, clock: HostClock, points: Points, *, slow: int) -> None:
        self.name = self.host = name
        self.clock = clock
        self.slow = slow
        self.alive = True
        self.frozen_until = 0
        self.busy = 0  # tasks that run
        self.begun = Signal()
        self.in_hand: dict[str, str] = {}  # by actor: the object it works on
        self.raised: list[str] = []  # what no task foresaw
        self.forwards = 0  # begun here
        self.late: list[str] = []  # forwards that very many others overtook
        self.points = points
        self.schedule = points.schedule
        self.stopping = Stop(points.schedule)
        self.line: Line
        self._points = points

    def spawn(self, name: str, body: Callable[[], None]) -> None:
        """Begin an actor of this process."""
        self.schedule.spawn(f"{self.name}/{name}", self, body)

    def say(self, what: str, told: str = "") -> None:
        """Write into the history what the running actor does."""
        actor = self.schedule.current
        assert actor is not None
        self._points.history.add(self.schedule.now, actor.name, what, told)

    def overtaken(self, name: str, by: int) -> None:
        """Note a forward during which *by* others began."""
        if by > OVERTAKEN:
            self.late.append(f"{name} in {self.name}: {by} others began meanwhile")

    def end(self) -> None:
        """End in good order, all actors having ended their work."""
        self.alive = False
        self.schedule.wake(self)

    def pulse(self, role: str, threads: int) -> None:
        """Tell the ledger of this process again and again, and that it leaves; an actor's body."""
        presence = Presence(roles=(role,), host=self.host, pid=1)
        name = f"{self.name}@{self.host}/1"
        while not self.stopping.is_set():
            try:
                now = self.line.ledger.workers.heartbeat(name, threads, presence)
                presence = msgspec.structs.replace(
                    presence, ahead=round(self.clock.now() - now / 1000, 3)
                )
                self._recover()
            except FORESEEN as error:
                self.say("no heartbeat", repr(error))
            self.stopping.wait(PULSE)
        try:
            self.line.ledger.workers.gone(name)
        except FORESEEN as error:
            self.say("no heartbeat", repr(error))

    def _recover(self) -> None:
        """Look whether what keeps this host from taking objects is over."""
        fitness = self.line.process.fitness
        if fitness.why():
            fitness.recovered({each.name for each in self.line.ledger.breakers.open()})
