"""Who carries: the line, the line on Celery's own classes, and the bare loop."""

import contextlib
import http.client
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bench import processes
from bench.bare import SOURCE
from bench.notices import BUCKET, REGION
from bench.queues import Announcements
from trailcourier import child
from trailcourier.fleet import Member, members, surroundings

CONFIGURATION = """
[broker]
url = "env:BENCH_BROKER"
namespace = "{name}"
[workers]
threads = {threads}
flower_objects = {events}
[sources.{source}]
queue_url = "{queue}"
queue_region = "{region}"
bucket_region = "{region}"
buckets = ["{bucket}"]
sinks = ["archive"]
[sources.{source}.credentials]
kind = "iam-user"
access_key_id = "env:BENCH_KEY"
secret_access_key = "env:BENCH_KEY"
[sinks.archive]
type = "file"
path = "{folder}/out"
"""
GRACE = 30  # seconds to stop


class Place(msgspec.Struct, frozen=True):
    """What all contenders meet: a folder on the disk, the broker, the queues and the bucket."""

    folder: Path
    broker: str
    sqs: str
    s3: str


class Contender:
    """Some processes and the queue they work on; *roles* are theirs, as CPU time is told."""

    def __init__(self, name: str, folder: Path, queue: Announcements) -> None:
        self.name = name
        self.queue = queue
        self.output = folder / "out"
        self.carried = 0  # messages deleted so far
        self._log = folder / "log"
        self._processes: list[tuple[str, child.Process]] = []

    def start(self, member: Member, environment: Mapping[str, str]) -> None:
        with self._log.open("ab") as log:
            told = {**environment, **member.environment}
            process = child.start(member.argv, environment=told, stdout=log, stderr=log)
        self._processes.append((member.role, process))

    def cpu(self) -> dict[str, float]:
        """The CPU seconds of each role so far; raises if a process has ended."""
        spent: dict[str, float] = {}
        for role, process in self._processes:
            if process.poll() is not None:
                said = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name}: {role} ended:\n{said}")
            spent[role] = spent.get(role, 0) + processes.cpu(process.pid)
        return spent

    def pids(self, role: str) -> list[int]:
        return [process.pid for its, process in self._processes if its == role]

    def until(self, deleted: int, *, seconds: float = 120) -> None:
        """Wait until so many messages are deleted in all."""
        deadline = time.monotonic() + seconds
        while (counts := self.queue.counts())["deleted"] < deleted:
            self.cpu()
            if time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name}: {counts}, not {deleted}, in {seconds} s:\n{said}")
            time.sleep(0.02)
        self.carried = deleted

    def close(self) -> None:
        """Ask all to stop, in the reverse order of their start, and see that they do; once."""
        leaving, self._processes = self._processes[::-1], []
        for _, process in leaving:
            child.send(process, signal.SIGTERM)
        if leaving:
            with contextlib.suppress(OSError, http.client.HTTPException):  # it may have ended
                self.queue.close()
        for _, process in leaving:
            child.end(process, grace=GRACE)


@contextlib.contextmanager
def contender(
    place: Place, name: str, *, threads: int = 8, objects: int = 1, events: bool = False
) -> Iterator[Contender]:
    """Run one contender until the block ends; *name* says which: ``bare``, ``stock`` or a line.

    *objects* are its object workers, *events* says whether they show every object to Flower.
    """
    folder = place.folder / name
    folder.mkdir()
    queue = Announcements(place.sqs, name)
    config = folder / "trailcourier.toml"
    config.write_text(
        CONFIGURATION.format(
            name=name, threads=threads, events=str(events).lower(),
            source=SOURCE, queue=queue.url, region=REGION, bucket=BUCKET, folder=folder,
        )
    )  # fmt: skip
    environment = {
        **surroundings(os.environ),
        "TRAILCOURIER_CONFIG": str(config),
        "BENCH_BROKER": place.broker,
        "BENCH_KEY": "example",
        "AWS_ENDPOINT_URL_S3": place.s3,
        "AWS_ENDPOINT_URL_SQS": place.sqs,
    }
    made = Contender(name, folder, queue)
    try:
        for member in _staff(name, objects):
            made.start(member, environment)
        yield made
    finally:
        made.close()


def _staff(name: str, objects: int) -> list[Member]:
    """The processes of a contender: a line's are those a fleet starts."""
    if name == "bare":
        return [Member("bare", "bare", (sys.executable, "-m", "bench.bare"))]
    if name == "stock":
        return [_on_stock(member) for member in members(processes=objects)]
    return members(processes=objects)


def _on_stock(member: Member) -> Member:
    argv = (f"import bench.stock; {a}" if a.startswith("import ") else a for a in member.argv)
    return msgspec.structs.replace(member, argv=tuple(argv))
