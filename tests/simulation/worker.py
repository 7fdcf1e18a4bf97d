"""A simulated worker: it takes tasks from one queue and runs them, as ``tasks.line`` does."""

from tests.simulation.broker import FOR_EVER, SimBroker, Task
from tests.simulation.process import FORESEEN, SimProcess
from trailcourier.ledger.ticks import LIFE, Ticks
from trailcourier.line import Line
from trailcourier.line.fitness import pause
from trailcourier.line.forward import forward_object
from trailcourier.line.live_claims import PAUSE
from trailcourier.line.maintenance import maintain
from trailcourier.line.poll import poll
from trailcourier.line.settle import settle


class Worker:
    """What *process* does: it takes from *queue* with so many *threads*."""

    def __init__(self, process: SimProcess, broker: SimBroker, queue: str, threads: int) -> None:
        self.process = process
        self._broker = broker
        self._queue = queue
        self._threads = threads
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
        while taken := broker.take(self._queue, process.stopping, self._fit):
            number, task = taken
            process.busy += 1
            process.schedule.fire(process.begun)
            self._run(task)
            process.busy -= 1
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

    def _run(self, task: Task) -> None:
        line, process = self.process.line, self.process
        try:
            if task.made and Ticks(line.ledger.store).age(task.made) > LIFE:
                process.say("tick dropped", task.kind)
                return
            match task.kind:
                case "poll":
                    poll(line, 0, self._broker.publish)
                case "maintenance":
                    maintain(line, self._broker.publish, self._broker.idle)
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
        actor = process.schedule.current
        assert actor is not None
        process.in_hand[actor.name] = work.name
        process.waited.pop(actor.name, None)
        process.had_turn.discard(actor.name)
        points = process.points
        points.asked_twice.discard(actor.name)
        points.in_hand[work.name] += 1
        points.begun[work.name] += 1
        process.say("forward begins", f"{work.message}/{work.index}g{work.generation} {task.id}")
        status, begun = "pending", points.begun[work.name]
        alone = points.in_hand[work.name] == 1
        try:
            carried = forward_object(line, work, task.id)
            points.in_hand[work.name] -= 1
            if carried.duplicate:
                alone = alone and begun == points.begun[work.name]
                if actor.name in points.asked_twice and alone:
                    process.raised.append(f"forward: nobody has {work.name}, and it steps aside")
                return  # Celery's Ignore: no part of its chord
            status = carried.text
            if carried.settle:
                self._broker.publish_settle()
        except FORESEEN as error:
            process.say("task failed", f"forward: {error!r:.120}")
        finally:
            process.in_hand.pop(actor.name, None)
        process.say("forward ends", status)
        self._broker.ended(task)

    def _renew(self) -> None:
        """What the thread does that keeps claims and poll leases alive."""
        process = self.process
        while True:
            if not process.busy:  # nothing is held
                process.schedule.wait(process.begun, FOR_EVER)
            process.clock.wait(PAUSE)
            process.renew_claims()
