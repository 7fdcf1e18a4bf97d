"""A whole line on one machine: real workers and a real broker, stubs of SQS and S3, real outputs.

Processes may be killed, frozen and started again; what was announced is compared with what lies in
the outputs; the queue tells, at the moment each message is deleted, whether all of it was there.
"""

import asyncio
import dataclasses
import functools
import gzip
import json
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import redis

from tests.reliability.hosts import Host
from tests.reliability.outputs import Output, digest
from tests.support import fleet, receiver
from tests.support.s3_stub import S3Stub
from tests.support.sqs_queue import Message
from tests.support.sqs_stub import SqsStub
from trailcourier.host import child_process, embedded_broker
from trailcourier.host.specs import process_specs
from trailcourier.ledger import Ledger, broker
from trailcourier.ledger.redis_client import Login
from trailcourier.models import Numbers
from trailcourier.operations import status

BUCKET = "acme-logs"
FOLDER = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23"


def key(name: str) -> str:
    return f"{FOLDER}/111122223333_CloudTrail_us-east-1_20261123T0000Z_{name:0>16}.json.gz"


def records(name: str, count: int) -> list[bytes]:
    """Records as AWS writes them: compact, each with an eventID of its own."""
    return [
        json.dumps(
            {"eventID": f"{name}-{at}", "eventName": "PutObject", "readOnly": False}
        ).encode()
        for at in range(count)
    ]


@dataclasses.dataclass
class World:
    folder: Path
    server: embedded_broker.EmbeddedBroker
    sqs: SqsStub
    s3: S3Stub
    receiver: receiver.Running | None
    config: Path
    outputs: dict[str, Output]
    numbers: Numbers
    processes: dict[str, fleet.Worker] = dataclasses.field(default_factory=dict)
    started: list[fleet.Worker] = dataclasses.field(default_factory=list)
    files: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    announced: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    early: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    hosts: dict[str, Host] = dataclasses.field(default_factory=dict)

    # what there is to carry

    def put(self, name: str, count: int = 3) -> str:
        """Put a log file of *count* records into the bucket."""
        lines = records(name, count)
        body = b'{"Records":[' + b",".join(lines) + b"]}"
        self.s3.put(BUCKET, key(name), gzip.compress(body, mtime=0))
        self.files[name] = {f"{name}-{at}": digest(line) for at, line in enumerate(lines)}
        return name

    def announce(self, *names: str) -> str:
        """Send one message that announces these files; its id."""
        notice = {"s3Bucket": BUCKET, "s3ObjectKey": [key(name) for name in names]}
        # known before it is sent: it may be deleted before we learn its id
        (message,) = self.sqs.send("trail", json.dumps(notice))
        self.announced[message] = list(names)
        return message

    def messages(self, count: int, objects: int, prefix: str = "f", size: int = 3) -> list[str]:
        """Send *count* messages of *objects* new files each; their ids."""
        return [
            self.announce(*(self.put(f"{prefix}{m}x{o}", size) for o in range(objects)))
            for m in range(count)
        ]

    def hold(self, *names: str, times: int = 1) -> Callable[[], None]:
        """Keep the next *times* reads of each file waiting; what is given lets them go on."""
        gate = asyncio.Event()
        for name in names:
            self.s3.fault(key(name), gate=gate, times=times)
        return functools.partial(self.s3.server.call, gate.set)

    def hold_receive(self) -> Callable[[], None]:
        """Keep the answer of the next receive back, though it takes what there is."""
        gate = asyncio.Event()
        self.sqs.fault("ReceiveMessage", gate=gate, after=True)
        return functools.partial(self.sqs.server.call, gate.set)

    def in_hand(self, *names: str) -> None:
        """Wait until somebody has asked for each file."""
        self.until(lambda: all(self.s3.reads()[key(name)] for name in names), "all are asked for")

    # the fleet

    @property
    def environment(self) -> dict[str, str]:
        return receiver.environment() | {
            "TRAILCOURIER_CONFIG": str(self.config),
            "WORLD_BROKER": self.server.url,
            "WORLD_KEY": "example",
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "AWS_ENDPOINT_URL_SQS": self.sqs.url,
        }

    def start(self, *names: str, **environment: str) -> None:
        """Start these processes, ``objects-1`` and so on, and wait until they are ready."""
        for name in names:
            self.spawn(name, **environment)
        for name in names:
            if name != "beat":
                self.processes[name].until(" ready.", seconds=90)

    def apart(self, *names: str) -> None:
        """Let each process, from its next start on, have a host of its own."""
        for name in names:
            self.hosts[name] = Host(name, self.folder, self.server.url)

    def spawn(self, name: str, host: str = "%h", **environment: str) -> None:
        argv = next(m.argv for m in process_specs(processes=4) if m.name == name)
        log = self.folder / f"{name}-{len(self.started)}"
        argv = [*(each.replace("%h", host) for each in argv if each != "-q"), "-l", "INFO"]
        if own := self.hosts.get(name):
            argv, environment = own.started(argv), own.environment | environment
        self.processes[name] = fleet.Worker(argv, self.environment | environment, log)
        self.started.append(self.processes[name])

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        child_process.kill(self.processes.pop(name).process)

    def signal(self, name: str, number: signal.Signals) -> None:
        child_process.send(self.processes[name].process, number)

    def ended(self, name: str) -> bool:
        return self.processes[name].ended

    def died(self, name: str, seconds: float = 60) -> int:
        """Wait for a process to end; its status."""
        self.until(lambda: self.ended(name), f"{name} ends", seconds=seconds)
        return child_process.reap(self.processes.pop(name).process)

    # what is seen

    @functools.cached_property
    def client(self) -> redis.Redis:
        return broker.connect(self.server.url, login=Login(lambda: self.server.url))

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.client, "prod", self.numbers)

    def pass_time(self, seconds: float) -> None:
        """Move the clocks of the ledger and of the queue on."""
        self.client.incrby("trailcourier:1:offset", int(seconds * 1000))
        self.sqs.advance(seconds)

    def forget_the_dead(self) -> None:
        """Take away what killed workers left unacknowledged, as after some time the broker does."""
        self.client.delete(*(f"trailcourier:1:celery:unacked{part}" for part in ("", "_index")))

    def bring_back(self) -> None:
        """Let the lease end of messages that were received, but that nobody knows of any more."""
        leased = self.client.zrange(f"{self.ledger.store.own}leases", 0, -1)
        known = {message.decode() for message in leased}
        now = self.sqs.now()
        if any(m.id not in known and m.visible_at > now for m in self.sqs.messages("trail")):
            self.sqs.advance(self.numbers.visibility)

    def polls(self) -> bool:
        """Whether a poll is under way, or is asked for and waits to be taken."""
        asked = self.client.llen("trailcourier:1:celery:control")
        held = self.client.get(f"{self.ledger.store.own}poll:0") or b"0|"
        return bool(asked or int(held.partition(b"|")[0]) > self.ledger.store.read_clock())

    def waiting(self) -> list[str]:
        """The messages the queue holds, in hand or not."""
        return [message.id for message in self.sqs.messages("trail")]

    def receives(self) -> Counter[str]:
        """How often each message was received."""
        entries = self.sqs.log("ReceiveMessage", "trail")
        return Counter(id_ for entry in entries for id_ in entry.ids)

    def missing(self, names: list[str] | None = None) -> set[tuple[str, str]]:
        """The records that some output lacks, of *names* or of every file announced."""
        if names is None:
            names = [name for message in self.announced.values() for name in message]
        wanted = {event for name in names for event in self.files[name]}
        return {
            (output, event)
            for output, seen in self.outputs.items()
            for event in wanted - seen.look().times.keys()
        }

    def repeated(self) -> set[str]:
        """The files of which any output has a record more than once."""
        return {
            event.rpartition("-")[0]
            for seen in self.outputs.values()
            for event, times in seen.look().times.items()
            if times > 1
        }

    def watch(self, message: Message) -> None:
        """Told by the queue before it deletes: nothing of the message may be missing then."""
        notice = json.loads(message.body)
        names = [name.rpartition("_")[2].partition(".")[0] for name in notice["s3ObjectKey"]]
        known = {name.rjust(16, "0"): name for name in self.files}
        missing = self.missing([known[name] for name in names])
        if missing:
            self.early[message.id] = {event for _, event in missing}

    def until(
        self, condition: Callable[[], object], what: str = "", *, seconds: float = 60
    ) -> None:
        """Wait for *condition*, and say all there is to know if it does not come."""
        fleet.until(condition, seconds=seconds, what=lambda: f"{what}\n{self.describe()}")

    def settled(self, *left: str, again: bool = False, seconds: float = 60) -> None:
        """Wait until every message but those *left* is gone and every record there.

        With *again*, time passes for messages that nobody knows of, so that they come again.
        """
        names = [n for m, ns in self.announced.items() if m not in left for n in ns]

        def done() -> bool:
            if again:
                self.bring_back()
            return set(self.waiting()) == set(left) and not self.missing(names)

        self.until(done, f"but for {left} all is carried", seconds=seconds)

    def check(self, *, counted: bool = False) -> None:
        """Assert what holds whatever happened: no record altered or made up, no early delete.

        *counted*: and each record counted once, which holds unless the ledger was lost.
        """
        wanted = {event: sha for file in self.files.values() for event, sha in file.items()}
        for seen in self.outputs.values():
            for event, digests in seen.look().digests.items():
                assert digests == {wanted.get(event)}, event
        assert self.early == {}
        assert self.sqs.messages("dead") == []
        if counted:
            sums = self.ledger.sums.read()
            assert sums["records:in"] == len(wanted)
            assert all(sums[f"sink:{name}:delivered"] == len(wanted) for name in self.outputs)

    def describe(self) -> str:
        """What is not done, and the last words of every process."""
        waiting = self.waiting()
        lines = [f"missing: {sorted(self.missing())[:10]}", f"now: {self.sqs.now()}"]
        lines += [f"waiting: {message}" for message in self.sqs.messages("trail")]
        lines += [f"asked: {entry}" for entry in self.sqs.log(queue="trail")[-20:]]
        try:
            lines.append(f"in hand: {self.ledger.room.count_in_hand()} {self.ledger.sums.read()}")
            lines.append(f"status: {status.read_status(self.ledger)}")
            for message in waiting:
                lines.append(
                    f"{message}: {self.client.hgetall(f'{self.ledger.store.own}m:{message}')}"
                )
        except redis.RedisError as error:
            lines.append(repr(error))
        for worker in self.started:
            lines.append(f"--- {worker.files[1].name}\n{worker.output[-3000:]}")
        return "\n".join(lines)

    def close(self) -> None:
        for worker in self.started:
            if worker.process.returncode is None:
                child_process.send(worker.process, signal.SIGCONT)
                child_process.kill(worker.process)
        for host in self.hosts.values():
            host.close()
        self.client.close()
