"""One run: everything put together, set going, and stopped when nothing is left to happen."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import redis

from tests.simulation import seams
from tests.simulation.aims import Aims
from tests.simulation.beat import Beat
from tests.simulation.broker import SimBroker
from tests.simulation.bucket import Buckets, SimReader
from tests.simulation.clock import HostClock
from tests.simulation.database import Database
from tests.simulation.history import History
from tests.simulation.ledger import Link, Onlooker, SimClient
from tests.simulation.operator import Command, Operator
from tests.simulation.outside import Outside
from tests.simulation.plan import FOR_EVER, Host, Plan
from tests.simulation.points import Points
from tests.simulation.process import SimProcess
from tests.simulation.progress import Progress
from tests.simulation.queue import SimQueue, SqsServer
from tests.simulation.schedule import Died, Schedule
from tests.simulation.sinks import SimSink, SinkServer
from tests.simulation.strikes import Strikes
from tests.simulation.witness import Witness
from tests.simulation.worker import Worker
from tests.simulation.workload import BUCKETS, RAISES, REJECT, Put, Sent, wanted
from trailcourier.ledger import Ledger
from trailcourier.line import Line
from trailcourier.line.fitness import Fitness
from trailcourier.line.object_rules import ObjectRules
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.models import Numbers
from trailcourier.operations.source_status import SourceStatus
from trailcourier.operations.status import read_status
from trailcourier.sinks import ConfiguredSink, DeliverySettings

SOURCE = "prod"
OWN = f"trailcourier:1:s:{SOURCE}:"  # what the source's keys begin with
LOOK = 1000  # ms between two looks whether all is done
STEPS, STEPS_EACH = 25_000, 500  # of a run, and of each message more, at most
STEPS_AN_HOUR, HOURS = 25_000, 12  # more for each hour: where nothing happens a tick has a dozen
LONGEST_RUN = 72 * 3_600_000  # ms
LOOKS = 3  # in a row that must find it so
RESTART = (200, 20_000)  # ms until a process that died is started again
RESTORE = 10_000  # ms between two looks for what dead workers held
UNACKED = 120_000  # ms after which that is given to others
IN_HAND = ("flight", "parked", "leases", "done")


def one_after_another(call: Callable[[int], None], numbers: Sequence[int]) -> None:
    """Do what threads do side by side; the order of things is the schedule's."""
    for number in numbers:
        call(number)


class OneByOne(DeliverySettings):
    """Settings of a sink that accepts one record per request."""

    @property
    def max_records_per_request(self) -> int:
        return 1


def keep(records: Any) -> list[str | None]:
    """The filter of the simulated source."""
    return [None if wanted(record) else "quiet" for record in records]


class World:
    """Everything of one run."""

    def __init__(self, plan: Plan, database: Database) -> None:
        self.plan = plan
        self.database = database
        self.chance = random.Random(f"{plan.seed} schedule")
        self.schedule = Schedule(self.chance)
        self.history = History()
        data = plan.data
        self.strikes = Strikes(
            random.Random(f"{plan.seed} strikes"), rate=data.rate, most=data.most,
            weights=dict(data.weights), longest=plan.longest, given=plan.strikes,
            aims=Aims(plan, lambda: self.schedule.now),
        )  # fmt: skip
        self.points = Points(
            self.schedule, self.strikes, self.history, self.chance, stays=plan.stays, kill=self.kill
        )
        self.link = Link(database, self.points)
        self.sqs = SqsServer(
            self.schedule, self.chance, most_receives=plan.most_receives,
            stale_works=plan.stale_works, life=plan.sqs_life * 1000,
        )  # fmt: skip
        self.buckets = Buckets()
        self.sinks = [SinkServer("siem", "batch", REJECT), SinkServer("archive", "object", b"\0")]
        for sink in self.sinks:
            sink.slow = plan.slow
        self.sinks[0].pace = plan.pace
        self.broker = SimBroker(self.points, self.link, self.chance, visibility=UNACKED)
        self.processes: dict[str, SimProcess] = {}
        self.workers: dict[str, Worker | Beat] = {}
        self.everyone: list[SimProcess] = []  # those that have died among them
        self.numbers = dict.fromkeys((host.name for host in plan.hosts), plan.numbers)
        self.kills = 0
        self.witness = Witness(self)
        self.link.admits = self.witness.admits
        self.link.forgets = self.witness.forgets
        self.lost_ledger = False
        self.broker_away = 0  # when the broker last served nobody
        self.started = 0  # when a process last began
        self.settled = False
        self.endless = ""  # by which bound the run was ended before its end
        self.progress = Progress(self)
        self.watched: Callable[[], None] = lambda: None  # called with each look
        self._looks = 0

    def run(self) -> None:
        """Run to the end; what the checks need is in the history and in what is simulated."""
        with seams.replaced(self.schedule, self.witness.fact, RAISES):
            self._run()

    def _run(self) -> None:
        self.database.empty()
        for host in self.plan.hosts:
            self.start(host)
        for put in self.plan.workload.puts:
            self.schedule.at(put.at, lambda put=put: self._put(put))
        for sent in self.plan.workload.sent:
            self.schedule.at(sent.at, lambda sent=sent: self._send(sent))
        Outside(self).arrange()
        self._every(RESTORE, self.broker.restore_old)
        self._every(LOOK, self._look)
        self.schedule.run(FOR_EVER)

    def start(self, host: Host) -> None:
        """Start the process of *host*."""
        self.started = self.schedule.now
        process = self.processes[host.name] = self.process(host, self.numbers[host.name])
        worker: Worker | Beat
        if host.queue == "beat":
            worker = Beat(
                process, self.broker, self.progress.next_tick, polls=self.plan.ticks,
                tends=self.numbers[host.name].maintenance * 1000,
            )  # fmt: skip
        else:
            worker = Worker(process, self.broker, host.queue, host.threads, host.group)
        self.workers[host.name] = worker
        worker.start()

    def command(self, name: Command) -> None:
        """Have an operator run a command, on a host of its own."""
        host = Host(f"operator-{len(self.everyone)}", "", 1)
        Operator(self.process(host, self.plan.configurations[-1])).start(name)

    def process(self, host: Host, numbers: Numbers) -> SimProcess:
        """A new process on *host*, with its line open."""
        clock = HostClock(self.schedule, self.chance, skew=host.skew, drift=host.drift)
        process = SimProcess(host.name, clock, self.points, slow=host.slow)
        process.line = self.line(process, numbers)
        clock.waits = process.waits
        self.everyone.append(process)
        return process

    def line(self, process: SimProcess, numbers: Numbers) -> Line:
        """The line as *process* has it open."""
        clock = process.clock

        def die() -> None:
            self.kill(process)
            raise Died

        return Line(
            source=SOURCE,
            queue=SimQueue(self.sqs, self.points),
            ledger=Ledger(SimClient.of(self.link), SOURCE, numbers, clock=clock),
            reader=SimReader(self.buckets, self.points, die, process.opens, process.reads),
            configured_sinks=tuple(
                ConfiguredSink(SimSink(each, self.points), self._settings(each))
                for each in self.sinks
            ),
            find_dropping_rules=keep,
            process=ProcessLimits(
                at_once=one_after_another,
                memory=self.plan.memory, claim=numbers.claim, stall=numbers.claim_stall,
                fitness=Fitness(process.host, clock), stopping=process.stopping, clock=clock,
                keeps_alive=False,
            ),
            numbers=numbers,
            rules=ObjectRules(buckets=BUCKETS),
            clock=clock,
        )  # fmt: skip

    def _settings(self, sink: SinkServer) -> DeliverySettings:
        return (
            OneByOne() if self.plan.one_by_one and sink.commits == "batch" else DeliverySettings()
        )

    def kill(self, process: SimProcess) -> None:
        """End a process as by SIGKILL; it is started again a little later."""
        if not process.alive:
            return
        self.history.add(self.schedule.now, process.name, "* killed")
        self.kills += 1
        self.points.touch(process)
        process.alive = False
        process.frozen_until = 0
        self.schedule.wake(process)
        if process.name in self.processes:
            self.restart(process.name, self.chance.randint(*RESTART))

    def restart(self, name: str, after: int) -> None:
        """Start a process of that name once the one there is now has ended, *after* at least."""
        host, last = (
            next(each for each in self.plan.hosts if each.name == name),
            self.processes[name],
        )

        def begin() -> None:
            if last.alive:
                self.schedule.at(self.schedule.now + LOOK, begin)
            elif self.processes[name] is last:
                self.history.add(self.schedule.now, name, "started")
                self.start(host)

        self.schedule.at(self.schedule.now + after, begin)
        self.points.last_strike = max(self.points.last_strike, self.schedule.now + after)

    def calm_for(self) -> int:
        """Since when nothing was struck, killed or frozen, in milliseconds."""
        return self.schedule.now - max(self.progress.calm_since(), self.struck_until())

    def left(self) -> dict[str, int]:
        """What the ledger still has in hand, looked at from outside."""
        counts = self.database.plain_all([("ZCARD", f"{OWN}{name}") for name in IN_HAND])
        return dict(zip(IN_HAND, counts, strict=True))

    def leases(self) -> list[str]:
        """The messages that the ledger has leases of, looked at from outside."""
        return [each.decode() for each in self.database.plain("ZRANGE", f"{OWN}leases", 0, -1)]

    def struck_until(self) -> int:
        """When the last strike was over, and nothing was frozen any more."""
        return max(self.points.last_strike, *(each.frozen_until for each in self.everyone))

    def standing(self) -> SourceStatus | None:
        """What `status` says of the source; None where the broker does not answer."""
        onlooker = Onlooker(self.database, self.points)
        onlooker.trouble, onlooker.skew = self.link.trouble, self.link.skew
        try:
            return read_status(Ledger(SimClient.of(onlooker), SOURCE, self.plan.numbers))
        except redis.RedisError:
            return None

    def sums(self) -> dict[str, int]:
        """The ledger's counters, looked at from outside."""
        held = self.database.plain("HGETALL", f"{OWN}sums")
        return {name.decode(): int(by) for name, by in zip(held[::2], held[1::2], strict=True)}

    def _every(self, pause: int, act: Any) -> None:
        def again() -> None:
            act()
            self.schedule.at(self.schedule.now + pause, again)

        self.schedule.at(pause, again)

    def _look(self) -> None:
        """End the run once all is done, or something is overdue."""
        self.watched()
        self.endless = self._beyond()
        if self.endless:
            self.schedule.finish()
            return
        self._looks = self._looks + 1 if self.progress.done() else 0
        self.settled = self._looks == LOOKS
        late = not self._looks and (self.progress.overdue() or self.progress.too_late())
        if self.settled or late:
            self.schedule.finish()

    def _beyond(self) -> str:
        """Which bound the run has gone beyond: it would not end, and take ever more memory."""
        hours = min(self.schedule.now / 3_600_000, HOURS)
        sent = len(self.plan.workload.sent)
        most = int(STEPS + STEPS_EACH * sent + STEPS_AN_HOUR * hours)
        if len(self.history.steps) > most:
            return f"more than {most} steps in {self.schedule.now / 1000:g} s"
        if self.schedule.now > LONGEST_RUN:
            return f"not over after {LONGEST_RUN / 3_600_000:g} hours"
        return ""

    def _put(self, put: Put) -> None:
        self.buckets.put(put.bucket, put.key, put.content)
        self.history.add(self.schedule.now, "bucket", "put", f"{put.key} {put.content.etag}")

    def _send(self, sent: Sent) -> None:
        self.sqs.send(sent.name, sent.body)
        names = " ".join(f"{n.key[-20:]}#{n.number} {n.fate}" for n in sent.names)
        self.history.add(self.schedule.now, "queue", "sent", f"{sent.name} {sent.kind} {names}")
