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
OVERTAKEN = 12  # turns of others while one waits: to be let in, to run alone, and for memory


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
        self.bodies = 0  # read here
        self.waited: dict[str, int] = {}  # by actor: bodies read when it began to wait
        self.had_turn: set[str] = set()  # actors that have opened the object again since
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

    def waits(self) -> None:
        """Note that the running forward waits in turn with others, for memory or to run alone."""
        actor = self.schedule.current
        assert actor is not None
        self.waited.setdefault(actor.name, self.bodies)

    def opens(self, name: str) -> None:
        """Note that the running forward opens *name*: its turn has come, if it waited for one."""
        actor = self.schedule.current
        assert actor is not None
        if actor.name in self.waited:
            self._turn(actor.name, name)
            self.had_turn.add(actor.name)

    def reads(self, name: str) -> None:
        """Note that the running forward begins to read *name*."""
        actor = self.schedule.current
        assert actor is not None
        if actor.name not in self.had_turn:
            self._turn(actor.name, name)
        self.had_turn.discard(actor.name)

    def _turn(self, actor: str, name: str) -> None:
        by = self.bodies - self.waited.pop(actor, self.bodies)
        self.bodies += 1
        if by > OVERTAKEN:
            self.late.append(f"{name} in {self.name}: {by} others were read while it waited")

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
                now = self.line.ledger.workers.note_heartbeat(name, threads, presence)
                presence = msgspec.structs.replace(
                    presence, ahead=round(self.clock.now() - now / 1000, 3)
                )
                self._recover()
            except FORESEEN as error:
                self.say("no heartbeat", repr(error))
            self.stopping.wait(PULSE)
        try:
            self.line.ledger.workers.remove(name)
        except FORESEEN as error:
            self.say("no heartbeat", repr(error))

    def renew_claims(self) -> None:
        """Keep claims and poll leases alive, as the thread of ``Holds`` does."""
        try:
            self.line.process.live_claims.renew()
        except FORESEEN as error:
            self.say("claims not renewed", repr(error))

    def _recover(self) -> None:
        """Look whether what keeps this host from taking objects is over."""
        fitness = self.line.process.fitness
        if fitness.why():
            fitness.keep_open({each.name for each in self.line.ledger.breakers.list_open()})
