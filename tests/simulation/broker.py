"""The broker's two lists and its chords, as Celery uses them.

Control tasks are acknowledged when they are taken, forwards when they have ended: those of a dead
process come back after the broker's visibility timeout.
"""

import dataclasses
import random
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, Literal, NamedTuple

from kombu.exceptions import OperationalError

from tests.simulation.ledger import Link
from tests.simulation.points import Points, Struck
from tests.simulation.schedule import Signal
from tests.simulation.strikes import Strike
from trailcourier.ledger.store import Store
from trailcourier.ledger.ticks import Ticks
from trailcourier.line.work import Work

TICKS = "sim:ticks"  # the list of the broker that ticks are in
FOR_EVER = 10**9
AGAIN = 1000  # ms until a consumer that lost its broker looks again


class Task(NamedTuple):
    """One task message."""

    kind: Literal["poll", "maintenance", "settle", "forward"]
    id: str
    argument: Any = None
    made: int = 0
    chord: str = ""


@dataclasses.dataclass
class Chord:
    """Headers still to end, and whom to settle then."""

    left: int
    messages: tuple[str, ...]


@dataclasses.dataclass
class Unacked:
    """A forward that somebody works on, or worked on when it died."""

    task: Task
    since: int


class SimBroker:
    """Everything of the broker but the ledger."""

    def __init__(
        self, points: Points, link: Link, chance: random.Random, *, visibility: int
    ) -> None:
        self.queues: dict[str, list[tuple[int, Task]]] = {"control": [], "objects": []}
        self.unacked: dict[int, Unacked] = {}
        self.chords: dict[str, Chord] = {}
        self.news = {"control": Signal(), "objects": Signal()}
        self._points = points
        self._link = link
        self._schedule = points.schedule
        self._chance = chance
        self._visibility = visibility
        self._serial = 0
        self._ticks = False  # whether any may wait
        self.published: Callable[[Sequence[Work]], None] = lambda works: None

    def tick(self, store: Store, kind: Literal["poll", "maintenance"]) -> None:
        """Have the ledger put a tick into its list, unless two of its kind wait there."""
        name = self._name(kind)
        if Ticks(store).send(TICKS, kind, f"{kind}|{name}|", ""):
            self._ticks = True
            self._schedule.fire(self.news["control"])

    # what workers do

    def take(self, queue: str, stopping: Event, fit: Callable[[], bool]) -> tuple[int, Task] | None:
        """Wait for a task of *queue*, to be acknowledged by its number; None once *stopping*.

        One that waits is taken only if *fit* says so.
        """
        while not stopping.is_set():
            found = None if self._away() or not self._may(queue, fit) else self._pop(queue)
            if found is not None:
                task = self._taken(queue, found)
                if task is not None:
                    return task
                continue
            self._schedule.wait(self.news[queue], self._until(queue))
        return None

    def take_more(self, queue: str, most: int, fit: Callable[[], bool]) -> list[tuple[int, Task]]:
        """Take up to *most* tasks more that wait already, as far as *fit* says so."""
        taken: list[tuple[int, Task]] = []
        while len(taken) < most and not self._away() and self._waits(queue) and fit():
            found = self._pop(queue)
            task = found and self._taken(queue, found)
            if task:
                taken.append(task)
        return taken

    def acknowledge(self, number: int) -> None:
        self.unacked.pop(number, None)

    def ended(self, task: Task) -> None:
        """Count a chord's header as ended; the last one publishes the chord's body."""
        chord = self.chords.get(task.chord)
        if chord is None or self._away():
            return
        chord.left -= 1
        if chord.left > 0:
            return
        del self.chords[task.chord]
        body = Task("settle", self._name("settle"), chord.messages)
        strike = self._points.strikes.at("broker.chord")
        if strike is not None:
            self._say(strike, " ".join(chord.messages))
        if strike is None or strike.kind != "lost":
            self._put("control", body, strike.amount if strike else 0)
        if strike is not None and strike.kind == "twice":
            self._put("control", body)

    def publish(self, source: str, works: Sequence[Work], messages: Sequence[str]) -> None:
        """What the line has instead of ``tasks.line.publish``."""
        name = self._name("chord")
        tasks = [Task("forward", self._name("forward"), work, chord=name) for work in works]

        def act(some: Sequence[Task] = tasks) -> None:
            self.chords[name] = Chord(len(tasks), tuple(messages))
            for task in some:
                self._put("objects", task)

        self.published(works)
        told = " ".join(f"{work.message}/{work.index}g{work.generation}" for work in works)
        self._send(act, told, tasks, grows=True)

    def publish_settle(self) -> None:
        """What the line has instead of ``settle.apply_async`` for all that is ready."""
        task = Task("settle", self._name("settle"))
        self._send(lambda some=(task,): [self._put("control", each) for each in some], "", (task,))

    def idle(self) -> bool:
        """Whether no forward waits in the broker or is held by a worker."""

        def act() -> bool:
            return not self.queues["objects"] and not self.unacked

        try:
            return self._points.call("broker.idle", self._reached(act))
        except Struck:
            raise OperationalError("simulated") from None

    # what time and operators do

    def busy(self) -> bool:
        """Whether anything waits here, or is held."""
        return bool(self.queues["control"] or self.queues["objects"] or self.unacked)

    def restore_old(self) -> None:
        """Put forwards back whose worker has not acknowledged them in time."""
        for number, held in list(self.unacked.items()):
            if self._schedule.now - held.since >= self._visibility:
                del self.unacked[number]
                self._points.history.add(
                    self._schedule.now, "broker", "restored", f"{held.task.argument.message}"
                )
                self._put("objects", held.task)

    def copy(self) -> Any:
        """What there is now, for ``restore_copy``."""
        return (
            {name: list(tasks) for name, tasks in self.queues.items()},
            dict(self.unacked),
            {name: dataclasses.replace(chord) for name, chord in self.chords.items()},
        )

    def restore_copy(self, copy: Any) -> None:
        self.queues, self.unacked, self.chords = copy
        self._ticks = True
        for signal in self.news.values():
            self._schedule.fire(signal)

    def empty(self) -> None:
        self.restore_copy(({"control": [], "objects": []}, {}, {}))

    def _send(self, act, told: str, tasks: Sequence[Task], *, grows: bool = False) -> None:
        def partly(kind: str) -> None:
            if kind == "half":
                act(tasks[: len(tasks) // 2])
                raise Struck("cut")

        try:
            acting = self._reached(act, grows=grows)
            self._points.call("broker.publish", acting, told=told, partly=partly)
        except Struck:
            raise OperationalError("simulated") from None

    def _away(self) -> bool:
        """Whether the broker serves nobody."""
        return bool(self._link.trouble or self._link.database.refuses)

    def _reached(self, act: Callable[[], Any], *, grows: bool = False) -> Callable[[], Any]:
        """Do *act*; one that *grows* what is held is refused by a full broker."""

        def reached() -> Any:
            if self._away() or (grows and self._link.database.full):
                raise Struck("connection")
            return act()

        return reached

    def _put(self, queue: str, task: Task, late: int = 0) -> None:
        self.queues[queue].append((self._schedule.now + late, task))
        self._schedule.fire(self.news[queue])

    def _may(self, queue: str, fit: Callable[[], bool]) -> bool:
        return not self._waits(queue) or fit()

    def _waits(self, queue: str) -> bool:
        return any(ready <= self._schedule.now for ready, _ in self.queues[queue])

    def _pop(self, queue: str) -> Task | None:
        now, waiting = self._schedule.now, self.queues[queue]
        for at, (ready, task) in enumerate(waiting):
            if ready <= now:
                del waiting[at]
                return task
        return self._pop_tick() if queue == "control" and self._ticks else None

    def _pop_tick(self) -> Task | None:
        popped = self._link.database.plain("RPOP", TICKS)
        self._ticks = popped is not None
        if popped is None:
            return None
        kind, name, made = popped.decode().split("|")
        return Task(kind, name, made=int(made))

    def _taken(self, queue: str, task: Task) -> tuple[int, Task] | None:
        self._serial += 1
        number = self._serial
        strike = self._points.strikes.at("broker.take")
        if strike is not None:
            self._points.say(strike, f"{task.kind} {task.id}")
            if strike.kind == "lost":
                return None
            if strike.kind == "late":
                self._put(queue, task, strike.amount)
                return None
            if strike.kind == "twice":
                self._put(queue, task)
        if task.kind == "forward":
            self.unacked[number] = Unacked(task, self._schedule.now)
        if strike is not None and strike.kind == "crash-after":
            actor = self._schedule.current
            assert actor is not None
            self._points.kill(actor.process)
            self._schedule.check()
        return number, task

    def _until(self, queue: str) -> int:
        if self._away():
            return AGAIN
        ready = min((ready for ready, _ in self.queues[queue]), default=FOR_EVER)
        if ready <= self._schedule.now:
            return AGAIN  # for another to take, or for this one later
        return ready - self._schedule.now

    def _name(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}-{self._serial}"

    def _say(self, strike: Strike, told: str) -> None:
        self._points.history.add(self._schedule.now, "broker", f"* {strike}", told)
        self._points.last_strike = max(self._points.last_strike, self._schedule.now + strike.amount)
