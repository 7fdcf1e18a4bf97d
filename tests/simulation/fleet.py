"""The simulated processes: what each has of its own, and the tasks it runs.

The tasks are those of ``tasks.line``, without Celery.
"""

from collections.abc import Callable

import redis
from kombu.exceptions import KombuError

from tests.simulation.broker import FOR_EVER, SimBroker, Task
from tests.simulation.clock import HostClock, Stop
from tests.simulation.points import Points
from tests.simulation.schedule import Signal
from trailcourier.errors import TrailcourierError
from trailcourier.ledger.ticks import LIFE, Ticks
from trailcourier.line import Line
from trailcourier.line.carry import carry
from trailcourier.line.holds import PAUSE
from trailcourier.line.receive import poll
from trailcourier.line.settle import settle
from trailcourier.line.tend import tend

FORESEEN = (TrailcourierError, redis.RedisError, KombuError)
PULSE = 10_000  # ms


class SimProcess:
    """One operating system process; *host* is whose disk and network it uses."""

    def __init__(self, name: str, host: str, clock: HostClock, points: Points, slow: int) -> None:
        self.name = name
        self.host = host
        self.clock = clock
        self.slow = slow  # how many times longer its calls take
        self.alive = True
        self.frozen_until = 0
        self.in_hand: dict[str, str] = {}  # by actor: the object it works on
        self.stopping = Stop(points.schedule)
        self.raised: list[str] = []
        self.line: Line
        self._points = points
        self._schedule = points.schedule
        self.busy = 0  # tasks that run
        self.begun = Signal()

    def spawn(self, name: str, body: Callable[[], None]) -> None:
        self._schedule.spawn(f"{self.name}/{name}" if name else self.name, self, body)

    def say(self, what: str, told: str = "") -> None:
        actor = self._schedule.current
        assert actor is not None
        self._points.history.add(self._schedule.now, actor.name, what, told)


class Worker:
    """A process that takes tasks from one queue with several threads."""

    def __init__(self, process: SimProcess, broker: SimBroker, queue: str, threads: int) -> None:
        self.process = process
        self._broker = broker
        self._queue = queue
        self._threads = threads
        self._ended = 0

    def start(self) -> None:
        if self._queue == "objects":
            self.process.spawn("pulse", self._pulse)
        self.process.spawn("holds", self._renew)
        for number in range(self._threads):
            self.process.spawn(str(number + 1), self._consume)

    def stop(self) -> None:
        """End in good order: each thread ends the task it has."""
        self.process.stopping.set()
        for signal in self._broker.news.values():
            self.process._schedule.fire(signal)

    def _consume(self) -> None:
        process, broker = self.process, self._broker
        while self._fit() and (taken := broker.take(self._queue, process.stopping)):
            number, task = taken
            process.busy += 1
            process._schedule.fire(process.begun)
            self._run(task)
            process.busy -= 1
            broker.acknowledge(number)
        self._ended += 1
        if self._ended == self._threads:
            process.alive = False
            process._schedule.wake(process)

    def _fit(self) -> bool:
        """Wait until this host may take an object; False once it stops."""
        process, line = self.process, self.process.line
        if self._queue == "objects":
            while not line.process.fitness.room(1, line.numbers.breaker_probe):
                if process.stopping.wait(1):
                    return False
        return True

    def _run(self, task: Task) -> None:
        line, process = self.process.line, self.process
        try:
            if task.made and Ticks(line.ledger.store).age(task.made) > LIFE:
                process.say("tick dropped", task.kind)
                return
            match task.kind:
                case "poll":
                    poll(line, 0, self._broker.publish, process.stopping)
                case "tend":
                    tend(line, self._broker.publish, self._broker.idle, process.stopping)
                case "settle":
                    settle(line, None if task.argument is None else list(task.argument))
                case "forward":
                    self._forward(line, task)
        except FORESEEN as error:
            process.say("task failed", f"{task.kind}: {error!r:.120}")
        except Exception as error:  # noqa: BLE001 - Celery ends the task, and goes on
            process.say("task raised", f"{task.kind}: {error!r:.120}")
            process.raised.append(f"{task.kind}: {error!r:.300}")

    def _forward(self, line: Line, task: Task) -> None:
        process, work = self.process, task.argument
        actor = process._schedule.current
        assert actor is not None
        process.in_hand[actor.name] = work.name
        process.say("forward begins", f"{work.message}/{work.index}g{work.generation} {task.id}")
        status = "pending"
        try:
            carried = carry(line, work, task.id, process.stopping)
            status = carried.told
            if carried.settle and not carried.ours:
                self._broker.publish_settle()
            if carried.ours:
                return  # Celery's Ignore: no part of its chord
        except FORESEEN as error:
            process.say("task failed", f"forward: {error!r:.120}")
        finally:
            process.in_hand.pop(actor.name, None)
        process.say("forward ends", status)
        self._broker.ended(task)

    def _pulse(self) -> None:
        process = self.process
        fitness, name = process.line.process.fitness, f"{process.name}@{process.host}/1"
        while not process.stopping.is_set():
            try:
                process.line.ledger.workers.heartbeat(name, self._threads)
                if fitness.why():
                    fitness.recovered({each.name for each in process.line.ledger.breakers.open()})
            except FORESEEN as error:
                process.say("no heartbeat", repr(error))
            process.stopping.wait(PULSE / 1000)
        try:
            process.line.ledger.workers.gone(name)
        except FORESEEN as error:
            process.say("no heartbeat", repr(error))

    def _renew(self) -> None:
        process = self.process
        while True:
            if not process.busy:  # nothing is held
                process._schedule.wait(process.begun, FOR_EVER)
            process.clock.wait(PAUSE)
            try:
                process.line.process.holds.renew()
            except FORESEEN as error:
                process.say("claims not renewed", repr(error))
