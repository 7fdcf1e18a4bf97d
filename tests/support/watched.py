"""A fleet that carries files from stubs of SQS and S3, and the Flower that watches it."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.announcements import BUCKET, own
from tests.support.fleet import Fleet, until
from tests.support.flower import Flower
from tests.support.host import log_file, record
from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub

FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23"
RECEIPT = "AQEBdHJhaWx8"  # how every receipt of this queue begins


def key(number: int) -> str:
    name = f"111122223333_CloudTrail_eu-west-1_20261123T0650Z_{number:016}"
    return f"{FOLDER}/{name}.json.gz"


def file(number: int) -> str:
    """A key's last part, as Flower shows it."""
    return key(number).rpartition("/")[2]


class Watched:
    """What is given to the fleet to carry, and what Flower shows of it."""

    def __init__(self, fleet: Fleet, page: Flower, sqs: SqsStub, s3: S3Stub) -> None:
        self.fleet, self.page, self.sqs, self.s3 = fleet, page, sqs, s3

    def announce(self, *numbers: int) -> None:
        """Put files into the bucket and announce them, ten a message."""
        for at in numbers:
            self.s3.put(BUCKET, key(at), log_file([record(f"{at}")]))
        for at in range(0, len(numbers), 10):
            self.sqs.send("trail", own(*map(key, numbers[at : at + 10])))

    def carry(self, *numbers: int) -> None:
        """Announce files, and wait until all have been settled and seen."""
        left = len(self.sqs.messages("trail"))
        self.announce(*numbers)
        until(lambda: len(self.sqs.messages("trail")) == left)
        until(lambda: {file(at) for at in numbers} <= {row["file"] for row in self.rows("forward")})

    @contextmanager
    def holding(self, number: int) -> Iterator[None]:
        """Keep one file in hand: its read is not answered as long as this lasts."""
        gate = asyncio.Event()
        self.s3.fault(key(number), gate=gate, times=1)
        self.announce(number)
        until(lambda: self.s3.reads()[key(number)])
        yield
        self.s3.server.call(gate.set)
        until(lambda: self.rows("forward", f"{file(number)} state:SUCCESS"))

    def rows(self, task: str, search: str = "") -> list[dict[str, Any]]:
        """What the page of tasks shows of one kind."""
        return self.page.rows(f"name:trailcourier.{task} {search}".strip())


@contextmanager
def watching(folder: Path, url: str, broker: str = "", **environment: str) -> Iterator[Watched]:
    """A fleet on the broker at *url*; *broker* is what its configuration says of it besides."""
    with ExitStack() as stack:
        sqs, s3 = stack.enter_context(SqsStub()), stack.enter_context(S3Stub())
        fleet = Fleet(folder, url)
        stack.callback(fleet.close)
        fleet.collect(sqs, s3, broker)
        fleet.environment |= environment
        page = Flower(fleet)
        for queue in ("objects", "control"):
            fleet.worker("-Q", queue, "-n", f"{queue}@host")
        fleet.celery("-A", "beat", "-q", "beat", "--pidfile=")
        until(lambda: len(page.api("workers?refresh=1")) == 2)
        yield Watched(fleet, page, sqs, s3)
