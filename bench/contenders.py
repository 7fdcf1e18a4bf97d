"""The contenders: the line, the line on Celery's own classes, and the bare loop."""

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
from bench.log_files import BUCKET, REGION
from bench.queues import Announcements
from trailcourier.host import child_process
from trailcourier.host.specs import ProcessSpec, clean_environment, process_specs

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
GRACE = 30  # seconds that a process has to stop


class Endpoints(msgspec.Struct, frozen=True):
    """What every contender uses: a folder, and the URLs of broker, SQS and S3."""

    folder: Path
    broker: str
    sqs: str
    s3: str


class Contender:
    """The processes of one contender, each with a role, and the queue that they read."""

    def __init__(self, name: str, folder: Path, queue: Announcements) -> None:
        self.name = name
        self.queue = queue
        self.output = folder / "out"
        self.deleted = 0  # messages so far
        self._log = folder / "log"
        self._processes: list[tuple[str, child_process.Process]] = []

    def start(self, spec: ProcessSpec, environment: Mapping[str, str]) -> None:
        with self._log.open("ab") as log:
            merged = {**environment, **spec.environment}
            process = child_process.start(spec.argv, environment=merged, stdout=log, stderr=log)
        self._processes.append((spec.role, process))

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU seconds of each role so far.  Raises RuntimeError if a process ended."""
        spent: dict[str, float] = {}
        for role, process in self._processes:
            if process.poll() is not None:
                log = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name}: {role} ended:\n{log}")
            spent[role] = spent.get(role, 0) + processes.cpu_seconds(process.pid)
        return spent

    def pids(self, role: str) -> list[int]:
        return [process.pid for its, process in self._processes if its == role]

    def await_deleted(self, deleted: int, *, seconds: float = 120) -> None:
        """Wait until *deleted* messages are deleted in all; RuntimeError after *seconds*."""
        deadline = time.monotonic() + seconds
        while (counts := self.queue.counts())["deleted"] < deleted:
            self.cpu_seconds()  # raises if a process has ended
            if time.monotonic() > deadline:
                log = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(
                    f"{self.name}: {counts} after {seconds} s, expected {deleted} deleted:\n{log}"
                )
            time.sleep(0.02)
        self.deleted = deleted

    def close(self) -> None:
        """Stop all processes, in the reverse order of their start; a second call does nothing."""
        leaving, self._processes = self._processes[::-1], []
        for _, process in leaving:
            child_process.send(process, signal.SIGTERM)
        if leaving:
            with contextlib.suppress(OSError, http.client.HTTPException):  # the stub may have ended
                self.queue.close()
        for _, process in leaving:
            child_process.end(process, grace=GRACE)


@contextlib.contextmanager
def contender(
    endpoints: Endpoints, name: str, *, threads: int = 8, objects: int = 1, events: bool = False
) -> Iterator[Contender]:
    """Run one contender until the block ends; *name* is ``bare``, ``stock``, or any for a line.

    *objects* is the number of its object workers; *events* says whether they send an event to
    Flower for every object.
    """
    folder = endpoints.folder / name
    folder.mkdir()
    queue = Announcements(endpoints.sqs, name)
    config = folder / "trailcourier.toml"
    config.write_text(
        CONFIGURATION.format(
            name=name, threads=threads, events=str(events).lower(),
            source=SOURCE, queue=queue.url, region=REGION, bucket=BUCKET, folder=folder,
        )
    )  # fmt: skip
    environment = {
        **clean_environment(os.environ),
        "TRAILCOURIER_CONFIG": str(config),
        "BENCH_BROKER": endpoints.broker,
        "BENCH_KEY": "example",
        "AWS_ENDPOINT_URL_S3": endpoints.s3,
        "AWS_ENDPOINT_URL_SQS": endpoints.sqs,
    }
    started = Contender(name, folder, queue)
    try:
        for spec in _process_specs(name, objects):
            started.start(spec, environment)
        yield started
    finally:
        started.close()


def _process_specs(name: str, objects: int) -> list[ProcessSpec]:
    """Return the processes of a contender; those of a line are what a fleet starts."""
    if name == "bare":
        return [ProcessSpec("bare", "bare", (sys.executable, "-m", "bench.bare"))]
    if name == "stock":
        return [_on_stock_celery(spec) for spec in process_specs(processes=objects)]
    return process_specs(processes=objects)


def _on_stock_celery(spec: ProcessSpec) -> ProcessSpec:
    argv = (f"import bench.stock; {a}" if a.startswith("import ") else a for a in spec.argv)
    return msgspec.structs.replace(spec, argv=tuple(argv))
