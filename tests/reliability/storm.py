"""A storm: messages come all the time while every process of a line is killed again and again.

What happens when follows from the seed alone; what comes of it follows from the machine as well.
"""

import contextlib
import dataclasses
import gzip
import random
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator

import redis

from tests.reliability.outputs import digest
from tests.reliability.strikes import strike
from tests.reliability.weather import FLEET, Strike, Weather
from tests.reliability.world import BUCKET, World, key, records
from tests.support import announcements
from tests.support.http_stub import Fault, Faults
from tests.support.sqs_queue import Message
from trailcourier.host import child_process
from trailcourier.operations import status

# seconds; SQS gives a message back to us within a test's patience
LINE = {
    "visibility": 40,
    "claim": 4,
    "lost_after": 4,
    "idle_after": 2,
    "poll": 4,
    "receive_wait": 2,
    "heartbeat": 15,
    "park_first": 0.5,
    "park_last": 4.0,
    "breaker_probe": 2.0,
    "batch_records": 3,
}
BURST = 0.6  # seconds
PATIENCE = 20.0
WORK = 3.0
WELL = 120.0  # until a fleet says of itself that all is well again
WAITED = object()


def only(world: World, sink: str) -> None:
    """Let the source send to this sink alone."""
    text = world.config.read_text()
    world.config.write_text(text.replace('sinks = ["archive", "siem"]', f'sinks = ["{sink}"]'))
    world.outputs = {sink: world.outputs[sink]}


def repeated(world: World, weather: Weather) -> str:
    """What repeats this storm."""
    config = tomllib.loads(world.config.read_text())
    return (
        f"\nTRAILCOURIER_STORM_SEED={weather.seed}: {weather.messages} messages in "
        f"{weather.seconds} s, workers {config['workers']}, line {config['line']}, "
        f"broker visibility_timeout {config['broker']['visibility_timeout']} s\n"
        + "; ".join(map(str, weather.plan()))
    )


class Slow(Faults):
    """S3 as it is at its slower hours, so that there is work in hand to hit."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def take(self, what: str) -> Fault | None:
        struck = super().take(what)
        if struck is not None:
            return struck
        tail = self._chance.random() < 0.1
        return Fault("*", delay=self._chance.uniform(0.5, 1.5) if tail else 0.03)


@dataclasses.dataclass
class Storm:
    """One storm over *world*; see ``rage``."""

    world: World
    weather: Weather
    names: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # by body
    leased: list[int] = dataclasses.field(default_factory=list)  # objects, at each strike
    early: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    fallen: list[str] = dataclasses.field(default_factory=list)  # ended, yet not by us
    made: list[str] = dataclasses.field(default_factory=list)  # the strikes that hit
    down: list[str] = dataclasses.field(default_factory=list)  # those not healed yet
    last_strike: float = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.weather.seed + 1)  # drawn from in the order of the plan
        self.world.sqs.queues["trail"].watch = self._watch
        self.world.s3.faults = Slow(random.Random(self.weather.seed + 2))

    def gather(self) -> None:
        """Start the fleet, each process on a host of its own."""
        self.world.apart(*FLEET)
        self.world.start(*FLEET)

    def rage(self) -> None:
        """Send all messages while striking.

        Time stands still while a strike waits for a slow machine's processes to start.
        """
        clock = time.monotonic()
        for at, act in sorted(self._acts(), key=lambda each: each[0]):
            time.sleep(max(0.0, clock + at - time.monotonic()))
            began = time.monotonic()
            if act() is WAITED:
                clock += time.monotonic() - began
            self._raise_the_fallen()
        self.world.server.start()

    def _acts(self) -> Iterator[tuple[float, Callable[[], object]]]:
        strikes = self.weather.plan()
        heals: dict[Strike, Callable[[], object]] = {}
        for number in range(self.weather.messages):
            # in bursts, each so shortly before a strike that it hits work in hand
            before = strikes[number * len(strikes) // self.weather.messages]
            at = max(0.0, before.at - self._chance.uniform(0.1, BURST))
            yield at, lambda number=number: self._announce(number)
        for each in strikes:
            if not each.hasty:
                yield each.at - BURST - 0.1, self._wait_for_all
                yield each.at - 0.01, self._wait_for_work
            yield each.at, lambda each=each: heals.update({each: self._strike(each)})
            if each.down:
                yield each.at + each.down, lambda each=each: self._heal(each, heals.pop(each))

    def _wait_for_all(self) -> object:
        """Wait until every worker is ready; one that cannot be is no reason to stand still."""
        deadline = time.monotonic() + PATIENCE
        workers = [self.world.processes[name] for name in self._free()]
        while time.monotonic() < deadline and not all(" ready." in each.output for each in workers):
            self.world.server.start()
            time.sleep(0.1)
        return WAITED

    def _free(self) -> list[str]:
        """The workers that no strike keeps from becoming ready; one of the broker keeps all."""
        struck = [[name for name in FLEET if name in what.split()] for what in self.down]
        kept = {name for names in struck for name in names or FLEET}
        return [name for name in FLEET if name not in {"beat", *kept}]

    def _wait_for_work(self) -> object:
        """Wait until something is in hand to be hit; after a strike there may be nothing soon."""
        deadline = time.monotonic() + WORK
        while time.monotonic() < deadline and not self._objects_leased():
            time.sleep(0.05)
        return WAITED

    # what is announced

    def _announce(self, number: int) -> None:
        """Send one message of 1 to 8 new files, in one of the shapes there are."""
        shape = self._chance.choice(["cloudtrail", "s3", "eventbridge"])
        most = 1 if shape == "eventbridge" else 8
        names = [f"s{number}x{at}" for at in range(self._chance.randint(1, most))]
        etags = [self._put(name) for name in names]
        if shape == "eventbridge":
            body = announcements.eventbridge(key(names[0]), etag=etags[0])
        elif shape == "s3":
            entries = zip(names, etags, strict=True)
            body = announcements.s3(*(announcements.entry(key(n), eTag=e) for n, e in entries))
        else:
            body = announcements.own(*map(key, names))
        wrap = self._chance.choice([*announcements.WRAPPINGS.values()])
        body = wrap(body.replace(announcements.BUCKET, BUCKET))
        self.names[body] = names
        (message,) = self.world.sqs.send("trail", body)
        self.world.announced[message] = names

    def _put(self, name: str) -> str:
        lines = records(name, self._chance.randint(1, 9))
        body = gzip.compress(b'{"Records":[' + b",".join(lines) + b"]}", mtime=0)
        self.world.files[name] = {f"{name}-{i}": digest(line) for i, line in enumerate(lines)}
        return self.world.s3.put(BUCKET, key(name), body)

    # what is struck

    def _strike(self, planned: Strike) -> Callable[[], object]:
        self.leased.append(self._objects_leased())
        self.last_strike = time.monotonic() + planned.down
        with contextlib.suppress(redis.RedisError):  # the broker is away by another strike
            heal = strike(self.world, planned.what)
            self.made.append(planned.what)
            if planned.down:
                self.down.append(planned.what)
            return heal
        return lambda: None

    def _heal(self, planned: Strike, heal: Callable[[], object]) -> None:
        if planned.what in self.down:
            self.down.remove(planned.what)
        heal()

    def _objects_leased(self) -> int:
        return sum(len(self.names[m.body]) for m in self.world.sqs.messages("trail") if m.count)

    def _raise_the_fallen(self) -> None:
        for name, worker in list(self.world.processes.items()):
            if worker.ended:
                status = child_process.reap(worker.process)
                self.fallen.append(f"{name} ended with {status}: {worker.output[-2000:]}")
                self.world.spawn(name)

    # what comes of it

    def _watch(self, message: Message) -> None:
        """Told by the queue before it deletes: all records of the message must have arrived."""
        wanted = {event for name in self.names[message.body] for event in self.world.files[name]}
        for output, seen in self.world.outputs.items():
            missing = {event for event in wanted if event not in seen.times}
            if missing and (missing := missing - seen.look().times.keys()):
                self.early[f"{message.id} {output}"] = missing

    def copies(self) -> Counter[str]:
        """How often each object was delivered again, in the output that got most of it."""
        found: Counter[str] = Counter()
        for seen in self.world.outputs.values():
            for event, times in seen.look().times.items():
                name = event.rpartition("-")[0]
                found[name] = max(found[name], times - 1)
        return +found

    def bugs(self) -> list[str]:
        """What the processes themselves called unforeseen."""
        lines = (line for worker in self.world.started for line in worker.output.splitlines())
        return [line for line in lines if '"event": "bug"' in line]

    def foreign(self) -> list[str]:
        """The records that arrived and that no file has, or not with these bytes."""
        wanted = {event: {sha} for file in self.world.files.values() for event, sha in file.items()}
        return sorted(
            event
            for seen in self.world.outputs.values()
            for event, digests in seen.look().digests.items()
            if digests != wanted.get(event)
        )

    def complaints(self) -> list[str]:
        """What must not be, whatever was struck; empty after a good storm."""
        world, copies = self.world, self.copies()
        missing = sorted(world.missing())
        found = [f"{len(missing)} records are missing, such as {missing[:3]}"] if missing else []
        if foreign := self.foreign():
            found.append(f"{len(foreign)} records nobody wrote, such as {foreign[:3]}")
        found += [
            f"deleted before {gone} arrived: {message}" for message, gone in self.early.items()
        ]
        if copies.total() > sum(self.leased):
            found.append(f"{copies.total()} copies, with {sum(self.leased)} objects in hand")
        found += self.fallen + self.bugs()
        dead = world.sqs.messages("dead")
        return found + ([f"{len(dead)} messages are in the dead-letter queue"] if dead else [])

    def summary(self, took: float) -> str:
        """The storm's figures, in a few lines."""
        world = self.world
        struck = sorted(Counter(self.made).items())
        return (
            f"done {took:.1f} s after the last strike; {len(world.announced)} messages, "
            f"{len(world.files)} objects, {sum(map(len, world.files.values()))} records, "
            f"{len(world.missing())} lost; {self.copies().total()} objects again, "
            f"{sum(self.leased)} leased when struck; "
            f"received at most {max(world.receives().values())} times\n"
            f"{len(self.made)} strikes: {', '.join(f'{what} ({n})' for what, n in struck)}"
        )

    def subside(self, seconds: float) -> float:
        """Wait until the queue is empty and all is well; the seconds until the former."""
        world = self.world
        with contextlib.ExitStack() as stack:
            stack.callback(self._raise_the_fallen)
            world.until(lambda: not world.waiting(), "the queue empties", seconds=seconds)
            took = time.monotonic() - self.last_strike
            world.until(self._rests, "nothing is held, and all is well", seconds=WELL)
        return took

    def _rests(self) -> bool:
        """Whether nothing is in hand any more and status has nothing to say."""
        held = self.world.ledger.room.count_in_hand()
        return held == (0, 0, 0) and status.read_status(self.world.ledger).state == "well"
