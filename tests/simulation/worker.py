"""A simulated worker: it takes tasks from one queue and runs them, as ``tasks.line`` does."""

from collections.abc import Callable, Sequence

from tests.simulation.broker import FOR_EVER, SimBroker, Task
from tests.simulation.process import FORESEEN, SimProcess
from trailcourier.ledger.ticks import LIFE, Ticks
from trailcourier.line.fitness import pause
from trailcourier.line.forward import Forwarded, ForwardTask, forward_objects
from trailcourier.line.live_claims import PAUSE
from trailcourier.line.maintenance import maintain
from trailcourier.line.poll import poll
from trailcourier.line.settle import settle


class Begun:
    """A forward that has begun, and what its process has in hand for it until it ends."""

    def __init__(self, process: SimProcess, actor: str, place: int, task: Task) -> None:
        work, points = task.argument, process.points
        self.task, self.actor = task, actor
        self.asked = ForwardTask(work, task.id)
        self._key, self._in_hand = f"{actor}/{place}", process.in_hand
        self._in_hand[self._key] = work.name
        points.in_hand[work.name] += 1
        points.begun[work.name] += 1
        self.number, self.alone = points.begun[work.name], points.in_hand[work.name] == 1
        process.say("forward begins", f"{work.message}/{work.index}g{work.generation} {task.id}")

    def end(self) -> None:
        """Have it in hand no more."""
        self._in_hand.pop(self._key, None)


class Worker:
    """What *process* does: it takes from *queue* with so many *threads*, *group* tasks at once."""

    def __init__(
        self, process: SimProcess, broker: SimBroker, queue: str, threads: int, group: int = 1
    ) -> None:
        self.process = process
        self._broker = broker
        self._queue = queue
        self._threads = threads
        self._group = group
        self._ended = 0

    def start(self) -> None:
        process, carries = self.process, self._threads if self._queue == "objects" else 0
        process.spawn("pulse", lambda: process.pulse(self._queue, carries))
        process.spawn("holds", self._renew)
        for number in range(self._threads):
            process.spawn(str(number + 1), self._consume)

    def stop(self) -> None:
        """End in good order: each thread ends the task it has."""
        self.process.stopping.set()
        for signal in self._broker.news.values():
            self.process.schedule.fire(signal)

    def _consume(self) -> None:
        process, broker = self.process, self._broker
        while first := broker.take(self._queue, process.stopping, self._fit):
            taken = [first, *broker.take_more(self._queue, self._group - 1, self._fit)]
            process.busy += len(taken)
            process.schedule.fire(process.begun)
            self._run_all([task for _, task in taken])
            process.busy -= len(taken)
            for number, _ in taken:
                broker.acknowledge(number)
        self._ended += 1
        if self._ended == self._threads:
            process.end()

    def _fit(self) -> bool:
        """Whether this host may take an object that waits."""
        line = self.process.line
        if self._queue != "objects":
            return True
        return line.process.fitness.room(1, pause(line.numbers)) > 0

    def _run_all(self, tasks: Sequence[Task]) -> None:
        forwards = [task for task in tasks if task.kind == "forward"]
        for task in tasks:
            if task.kind != "forward":
                self._guarded(task.kind, lambda task=task: self._run(task))
        if forwards:
            self._forward_all(forwards)

    def _guarded(self, kind: str, act: Callable[[], None]) -> None:
        process = self.process
        try:
            act()
        except FORESEEN as error:
            process.say("task failed", f"{kind}: {error!r:.120}")
        except Exception as error:  # noqa: BLE001 - Celery ends the task, and goes on
            process.say("task raised", f"{kind}: {error!r:.120}")
            process.raised.append(f"{kind}: {error!r:.300}")

    def _run(self, task: Task) -> None:
        line = self.process.line
        if task.made and Ticks(line.ledger.store).age(task.made) > LIFE:
            self.process.say("tick dropped", task.kind)
            return
        match task.kind:
            case "poll":
                poll(line, 0, self._broker.publish)
            case "maintenance":
                maintain(line, self._broker.publish, self._broker.idle)
            case "settle":
                settle(line, None if task.argument is None else list(task.argument))

    def _forward_all(self, tasks: Sequence[Task]) -> None:
        """Forward a group; each task is a part of its chord, whatever became of it."""
        process = self.process
        actor = process.schedule.current
        assert actor is not None
        process.waited.pop(actor.name, None)
        process.had_turn.discard(actor.name)
        process.points.asked_twice.discard(actor.name)
        begun = [Begun(process, actor.name, number, task) for number, task in enumerate(tasks)]
        left = {id(each.asked): each for each in begun}

        def act() -> None:
            for part in forward_objects(process.line, [each.asked for each in begun]):
                for asked, forwarded in part:
                    self._end(left.pop(id(asked)), forwarded)

        try:
            self._guarded("forward", act)
        finally:
            for each in begun:
                each.end()
        for each in left.values():
            process.say("forward ends", "pending")
            self._broker.ended(each.task)

    def _end(self, begun: "Begun", forwarded: Forwarded) -> None:
        process, name = self.process, begun.task.argument.name
        begun.end()
        process.points.in_hand[name] -= 1
        if forwarded.duplicate:
            alone = begun.alone and begun.number == process.points.begun[name]
            if begun.actor in process.points.asked_twice and alone:
                process.raised.append(f"forward: nobody has {name}, and it steps aside")
            return  # Celery's Ignore: no part of its chord
        if forwarded.settle:
            self._guarded("forward", self._broker.publish_settle)
        process.say("forward ends", forwarded.text)
        self._broker.ended(begun.task)

    def _renew(self) -> None:
        """What the thread does that keeps claims and poll leases alive."""
        process = self.process
        while True:
            if not process.busy:  # nothing is held
                process.schedule.wait(process.begun, FOR_EVER)
            process.clock.wait(PAUSE)
            process.renew_claims()
