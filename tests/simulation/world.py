"""One run: everything put together, set going, and stopped when nothing is left to happen."""

import random
from typing import Any

from tests.simulation import seams
from tests.simulation.broker import SimBroker
from tests.simulation.bucket import Buckets, SimReader
from tests.simulation.clock import HostClock
from tests.simulation.fleet import SimProcess, Worker
from tests.simulation.history import History
from tests.simulation.ledger import Link, SimClient
from tests.simulation.outside import Outside
from tests.simulation.plan import FOR_EVER, Host, Plan
from tests.simulation.points import Points
from tests.simulation.queue import SimQueue, SqsServer
from tests.simulation.schedule import Died, Schedule
from tests.simulation.server import Server
from tests.simulation.sinks import SimSink, SinkServer
from tests.simulation.strikes import Strikes
from tests.simulation.waits import Waits
from tests.simulation.workload import RAISES, REJECT, Name, Sent, wanted
from trailcourier.ledger import Ledger
from trailcourier.line import Line
from trailcourier.line.fitness import Fitness
from trailcourier.line.process import Process
from trailcourier.sinks import Outlet, Terms

SOURCE = "prod"
LOOK = 1000  # ms between two looks whether all is done
RESTART = (200, 20_000)  # ms until a process that died is started again
LONGEST_PAUSE = 30_000  # ms between two ticks
QUIET = 3  # looks in a row at which all must be done


def keep(records: Any) -> list[str | None]:
    """The filter of the simulated source."""
    return [None if wanted(record) else "quiet" for record in records]


class World:
    """Everything of one run."""

    def __init__(self, plan: Plan, server: Server) -> None:
        self.plan = plan
        self.server = server
        self.chance = random.Random(f"{plan.seed} schedule")
        self.waits = Waits(plan)
        self.history = History()
        self.schedule = Schedule(self.chance)
        data = plan.data
        self.strikes = Strikes(
            random.Random(f"{plan.seed} strikes"),
            rate=data.rate,
            most=data.most,
            weights=dict(data.weights),
            longest=plan.longest,
            given=plan.strikes,
        )
        self.points = Points(
            self.schedule, self.strikes, self.history, self.chance, stays=plan.stays
        )
        self.points.kill = self.kill
        self.link = Link(server, self.points)
        self.sqs = SqsServer(
            self.schedule, self.chance, most_receives=plan.most_receives,
            stale_works=plan.stale_works,
        )  # fmt: skip
        self.buckets = Buckets()
        self.sinks = [
            SinkServer("siem", "batch", REJECT),
            SinkServer("archive", "object", b"\0"),
        ]
        self.broker = SimBroker(self.points, self.link, self.chance, visibility=120_000)
        self.kills = 0
        self.processes: dict[str, SimProcess] = {}
        self.everyone: list[SimProcess] = []  # those that have died among them
        self.workers: dict[str, Worker] = {}
        self.bugs: list[str] = []
        self.refused: set[str] = set()  # objects and messages that were said to be
        self.lost_ledger = False
        self.settled_at: int | None = None
        self._done = 0
        seams.install(self.schedule, self._fact, RAISES)

    def run(self) -> None:
        """Run to the end; what the checks need is in the history and in what is simulated."""
        self.server.empty()
        for host in self.plan.hosts:
            self.start(host)
        for put in self.plan.workload.puts:
            self.schedule.at(put.at, lambda put=put: self._put(put))
        for sent in self.plan.workload.sent:
            self.schedule.at(sent.at, lambda sent=sent: self._send(sent))
        Outside(self).arrange()
        self.schedule.at(self.chance.randrange(1000), self._poll)
        self.schedule.at(self.chance.randrange(1000), self._tend)
        self.schedule.at(10_000, self._restore)
        self.schedule.at(LOOK, self._look)
        self.schedule.run(FOR_EVER)

    def overdue(self) -> list[str]:
        """Messages that should be done by now."""
        return [
            f"{sent.name} ({sent.kind})"
            for sent in self.unfinished()
            if (due := self._due(sent)) is not None and self.schedule.now > due
        ]

    def start(self, host: Host) -> None:
        """Start the process of *host*."""
        clock = HostClock(self.schedule, self.chance, skew=host.skew, drift=host.drift)
        process = SimProcess(host.name, host.name, clock, self.points, host.slow)
        process.line = self.line(process)
        self.processes[host.name] = process
        self.everyone.append(process)
        worker = Worker(process, self.broker, host.queue, host.threads)
        self.workers[host.name] = worker
        worker.start()

    def line(self, process: SimProcess) -> Line:
        numbers = self.plan.numbers

        def die() -> None:
            self.kill(process)
            raise Died

        return Line(
            source=SOURCE,
            queue=SimQueue(self.sqs, self.points),
            ledger=Ledger(SimClient.of(self.link), SOURCE, numbers, clock=process.clock),
            reader=SimReader(self.buckets, self.points, die),
            outlets=tuple(Outlet(SimSink(each, self.points), Terms()) for each in self.sinks),
            keep=keep,
            process=Process(
                memory=numbers.memory_mib << 20, claim=numbers.claim, stall=numbers.claim_stall,
                fitness=Fitness(process.host, process.clock), clock=process.clock, keeps_alive=False,
            ),
            numbers=numbers,
            clock=process.clock,
        )  # fmt: skip

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
        self.restart(process.name, self.chance.randint(*RESTART))

    def restart(self, name: str, after: int) -> None:
        """Have a process of that name, if there is none by then."""
        host = next(host for host in self.plan.hosts if host.name == name)

        def begin() -> None:
            if not self.processes[name].alive:
                self.history.add(self.schedule.now, name, "started")
                self.start(host)

        self.schedule.at(self.schedule.now + after, begin)
        self.points.last_strike = max(self.points.last_strike, self.schedule.now + after)

    def leaving(self) -> dict[str, int]:
        """What the ledger still has in hand, looked at from outside."""
        own, names = f"trailcourier:1:s:{SOURCE}:", ("flight", "parked", "leases", "done")
        counts = self.server.plain_all([("ZCARD", f"{own}{name}") for name in names])
        return dict(zip(names, counts, strict=True))

    def sums(self) -> dict[str, int]:
        """The ledger's counters, looked at from outside."""
        held = self.server.plain("HGETALL", f"trailcourier:1:s:{SOURCE}:sums")
        return {name.decode(): int(by) for name, by in zip(held[::2], held[1::2], strict=True)}

    def unfinished(self) -> list[Sent]:
        """The messages that are not where they should be in the end."""
        return [
            sent
            for sent in self.plan.workload.sent
            if (sent.name not in self.sqs.deleted if self.sound(sent) else not self._refused(sent))
        ]

    def sound(self, sent: Sent) -> bool:
        """Whether a message can be deleted in the end: nothing it names is bad or rewritten."""
        return sent.kind == "unread" or (
            sent.kind == "good" and not any(map(self.outdated, sent.names))
        )

    def outdated(self, name: Name) -> bool:
        """Whether *name* means a content that was overwritten, at any time."""
        puts = self.plan.workload.puts
        last = sum((put.bucket, put.key) == (name.bucket, name.key) for put in puts) - 1
        return name.exact and name.number < last

    def done(self) -> bool:
        """Whether nothing is left to happen that a check waits for."""
        if self.schedule.now <= max(self.waits.calm_since(), self.points.last_strike):
            return False
        waiting = self.unfinished()
        if any(self.waits.well_since(sent) is not None for sent in waiting):
            return False
        return bool(waiting) or not any(self.leaving().values())

    def _refused(self, sent: Sent) -> bool:
        """Whether a message that cannot be deleted has been said to be refused, and why."""
        if sent.name in self.sqs.deleted or sent.name in self.sqs.dead:
            return True
        if sent.kind in ("foreign", "raises"):
            return sent.name in self.refused
        return self.sqs.receives[sent.name] > 0 and all(
            name.fate == "skip" or name.url in self.refused or self.arrived(name)
            for name in sent.names
        )

    def arrived(self, name: Name) -> bool:
        """Whether some content that *name* may mean is in every sink."""
        contents = self.buckets.objects.get((name.bucket, name.key), [])
        # a notice without an etag may mean what was delivered within the hour before it
        meant = contents[name.number : name.number + 1] if name.exact else contents
        return any(
            all(set(filter(wanted, content.records)) <= sink.records for sink in self.sinks)
            for content in meant
        )

    def _look(self) -> None:
        if self.done():
            self._done += 1
            if self._done == QUIET:
                self.settled_at = self.schedule.now
                self.schedule.finish()
        else:
            self._done = 0
            if self.overdue() or self.schedule.now > self._latest():
                self.schedule.finish()
        self.schedule.at(self.schedule.now + LOOK, self._look)

    def _latest(self) -> int:
        """When everything must be over, the ledger empty too."""
        ends = [self._due(each) or 0 for each in self.plan.workload.sent]
        calm = max(self.waits.calm_since(), self.points.last_strike)
        return max(calm, *ends) + self.waits.bound

    def _due(self, sent: Sent) -> int | None:
        denied = ("queue.extend", "denied") in self.strikes.met
        return self.waits.due(sent, self.points.last_strike, denied=denied)

    def _poll(self) -> None:
        self.broker.tick("poll")
        self.schedule.at(self._next(self.plan.ticks), self._poll)

    def _tend(self) -> None:
        self.broker.tick("tend")
        self.schedule.at(self._next(self.plan.numbers.tend * 1000), self._tend)

    def _next(self, pause: int) -> int:
        """When the next tick comes; later while nothing can come of any."""
        soon = self.schedule.now + pause
        if self.broker.busy() or any(process.busy for process in self.processes.values()):
            return soon
        wakes = [each.at for each in (*self.plan.workload.sent, *self.plan.events)]
        wakes += [event.at + event.lasts for event in self.plan.events]
        coming = [at for at in wakes if at >= self.schedule.now]
        coming += [held.visible for held in self.sqs.messages.values()]
        if any(self.leaving().values()):
            return soon
        return min(max(soon, min(coming, default=soon)), self.schedule.now + LONGEST_PAUSE)

    def _restore(self) -> None:
        self.broker.restore_old()
        self.schedule.at(self.schedule.now + 10_000, self._restore)

    def _put(self, put: Any) -> None:
        self.buckets.put(put.bucket, put.key, put.content)
        self.history.add(self.schedule.now, "bucket", "put", f"{put.key} {put.content.etag}")

    def _send(self, sent: Any) -> None:
        self.sqs.send(sent.name, sent.body)
        self.history.add(
            self.schedule.now,
            "queue",
            "sent",
            f"{sent.name} {sent.kind} "
            + " ".join(f"{n.key[-20:]}#{n.number}{n.fate}" for n in sent.names),
        )

    def _fact(self, event: str, fields: dict[str, Any]) -> None:
        actor = self.schedule.current
        who = actor.name if actor else "-"
        told = " ".join(f"{name}={value}" for name, value in fields.items() if name != "source")
        self.history.add(self.schedule.now, who, f"- {event}", told[:160])
        if event in ("object_refused", "message_not_understood"):
            self.refused.add(str(fields.get("object", fields.get("message"))))
        if event == "bug":
            self.bugs.append(told)
