"""The line as plain functions on real parts: a broker, an SQS and an S3 on loopback, real files."""

import copy
import dataclasses
import gzip
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.clocks import LongestJitter
from tests.support.s3_stub import S3Stub
from tests.support.servers import valkey
from tests.support.sqs_stub import SqsStub
from trailcourier.aws import regions, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.aws.sqs import BatchResult, Queue
from trailcourier.host import embedded_broker
from trailcourier.ledger import Ledger, broker
from trailcourier.line import Line, poll
from trailcourier.line.forward import Forwarded, forward_object
from trailcourier.line.maintenance import maintain
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.line.settle import settle
from trailcourier.line.work import Work
from trailcourier.models import Numbers
from trailcourier.objects import BucketAccess, Reader
from trailcourier.sinks import open_sink
from trailcourier.sinks.file import File

BUCKET = "acme-logs"
FOLDER = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23"


def key(at: int | str) -> str:
    return f"{FOLDER}/111122223333_CloudTrail_us-east-1_20261123T0000Z_{at:0>16}.json.gz"


def records(at: int | str, count: int = 3) -> list[dict[str, Any]]:
    return [{"eventID": f"{at}-{i}", "eventName": "PutObject"} for i in range(count)]


def log_file(of: Sequence[dict[str, Any]]) -> bytes:
    text = json.dumps({"Records": list(of)}, separators=(",", ":"))
    return gzip.compress(text.encode(), mtime=0)


def notice(*keys: str, bucket: str = BUCKET) -> str:
    return json.dumps({"s3Bucket": bucket, "s3ObjectKey": list(keys)})


class AfterOneRound(threading.Event):
    """A stop that comes when a poll has looked twice: before its receive and after it."""

    looks = 0

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks > 2


@dataclasses.dataclass
class World:
    """One line and everything around it; *work* is what was published and nobody did yet."""

    line: Line
    sqs: SqsStub
    s3: S3Stub
    output: Path
    work: list[Work] = dataclasses.field(default_factory=list)
    chords: list[tuple[int, tuple[str, ...]]] = dataclasses.field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        return self.line.ledger

    def put(self, at: int | str, count: int = 3) -> str:
        """Put a log file into the bucket; its key."""
        self.s3.put(BUCKET, key(at), log_file(records(at, count)))
        return key(at)

    def announce(self, *keys: str) -> str:
        return self.sqs.send("trail", notice(*keys))[0]

    def publish(self, source: str, works: Sequence[Work], messages: Sequence[str]) -> None:
        assert source == self.line.source
        self.work += works
        self.chords.append((len(works), tuple(messages)))

    def poll(self) -> int:
        """Receive once; how many messages came."""
        line = dataclasses.replace(self.line, process=copy.copy(self.line.process))
        line.process.stopping = AfterOneRound()
        return poll.poll(line, 0, self.publish)

    def forward(self, work: Work, task: str = "") -> Forwarded:
        carried = forward_object(self.line, work, task or f"task-{work.message}-{work.index}")
        if carried.settle:
            settle(self.line, None)
        return carried

    def forward_all(self) -> list[str]:
        """Do all work that was published, as workers would; the statuses."""
        work, self.work = self.work, []
        return [self.forward(each).status for each in work]

    def maintenance(self, *, idle: bool = True) -> int:
        return maintain(self.line, self.publish, lambda: idle)

    def run(self) -> list[str]:
        self.poll()
        return self.forward_all()

    def pass_time(self, seconds: float) -> None:
        """Move the clocks of the ledger and of the queue on."""
        name = f"{self.ledger.store.everyone}offset"
        self.ledger.store.client.incrby(name, int(seconds * 1000))
        self.ledger.workers.note_heartbeat("worker", 8)
        self.sqs.advance(seconds)

    def hidden_for(self) -> list[float]:
        """Return a list to which each request to hide a message will add its seconds.

        How long it stays away cannot be timed: the waits of a busy machine count too.
        """
        asked: list[float] = []
        extend = self.line.queue.change_visibility

        def noted(entries: Sequence[tuple[str, str, int]]) -> BatchResult:
            asked.extend(seconds for _, _, seconds in entries)
            return extend(entries)

        self.line.queue.change_visibility = noted
        return asked

    def delivered(self) -> list[str]:
        """The eventIDs in all output files, sorted, duplicates among them."""
        files = [path for path in self.output.rglob("*") if path.is_file()]
        lines = [line for path in files for line in path.read_bytes().splitlines()]
        return sorted(json.loads(line)["eventID"] for line in lines)

    def waiting(self) -> list[str]:
        """The messages the queue still holds."""
        return [message.id for message in self.sqs.messages("trail")]

    def count(self) -> dict[str, int]:
        return self.ledger.sums.read()


def expected(*names: int | str, count: int = 3) -> list[str]:
    return sorted(record["eventID"] for name in names for record in records(name, count))


@pytest.fixture(scope="session")
def running() -> Iterator[embedded_broker.EmbeddedBroker]:
    with valkey() as started:
        yield started


@pytest.fixture(scope="session")
def server(running: embedded_broker.EmbeddedBroker) -> str:
    return running.url


@pytest.fixture
def sqs() -> Iterator[SqsStub]:
    with SqsStub() as stub:
        stub.create("trail", redrive=("dead", 5))
        yield stub


@pytest.fixture
def s3() -> Iterator[S3Stub]:
    with S3Stub() as stub:
        yield stub


Make = Callable[..., World]


@pytest.fixture
def make(server: str, sqs: SqsStub, s3: S3Stub, tmp_path: Path) -> Iterator[Make]:
    """Make a world; keywords go to its Line, but for ``numbers``, which go to its Numbers."""
    client = broker.connect(server)
    client.flushall()
    network = Network(endpoints=(("s3", s3.url), ("sqs", sqs.url)))

    def made(*, numbers: dict[str, Any] | None = None, **given: Any) -> World:
        chosen = Numbers(**{"receive_wait": 0, "poll": 1, "settle_gather": 0, **(numbers or {})})
        session = sessions.make_session(
            _keys(), source="prod", sts_region="us-east-1", network=network
        )
        address = regions.parse_queue_url(sqs.queue_url("trail"), "us-east-1")
        archive = File(type="file", path=tmp_path / "out", fsync=False)
        line = Line(
            **{
                "source": "prod",
                "queue": Queue(session, address, network=network),
                "ledger": Ledger(client, "prod", chosen),
                "reader": Reader(
                    session,
                    BucketAccess(
                        home="us-east-1", network=network, read_timeout=1, total_timeout=3
                    ),
                    max_compressed=64 << 20,
                ),
                "configured_sinks": (open_sink("archive", archive, Network()),),
                "find_dropping_rules": lambda batch: [None] * len(batch),
                "process": ProcessLimits(memory=96 << 20, claim=30, stall=300),
                "numbers": chosen,
                "clock": LongestJitter(),
                **given,
            }
        )
        line.ledger.workers.note_heartbeat("worker", 8)
        return World(line, sqs, s3, tmp_path / "out")

    yield made
    client.close()


@pytest.fixture
def world(make: Make) -> World:
    return make()


def _keys() -> Credentials:
    environment = {"ID": "AKIAEXAMPLE", "KEY": "example"}
    given = {"kind": "iam-user", "access_key_id": "env:ID", "secret_access_key": "env:KEY"}
    return Credentials.model_validate(given, context={"environ": environment})
