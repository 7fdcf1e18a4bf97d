"""The command line as real processes, in a folder of its own, on stubs of AWS."""

import gzip
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import processes
from tests.support.announcements import BUCKET
from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub
from trailcourier.host import child_process

ROOT = Path(__file__).parents[2]
CONFIG = """
[workers]
processes = {processes}
threads = 4
state_dir = "state"
metrics_port = 0
heartbeat_file = "heartbeat"
{workers}
{broker}
[line]
receive_wait = 1
[sources.prod]
queue_url = "{queue}"
queue_region = "us-east-1"
buckets = ["acme-*"]
unfiltered = true
sinks = ["{sink}"]
[sinks.archive]
type = "file"
path = "events"
[sinks.console]
type = "stdout"
"""

Records = Counter[tuple[str, str]]
"""Records by eventID and the sha256 of their bytes."""


class CommandResult(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error."""
        assert self.err.count("\n") == 1, self.err
        return self.err


def record(event: str, **more: Any) -> bytes:
    """One record, as its bytes leave and arrive."""
    return json.dumps({"eventID": event, "eventName": "PutObject", **more}).encode()


def log_file(records: Iterable[bytes]) -> bytes:
    return gzip.compress(b'{"Records":[' + b",".join(records) + b"]}", mtime=0)


def counted(records: Iterable[bytes]) -> Records:
    return Counter(
        (json.loads(each)["eventID"], hashlib.sha256(each).hexdigest()) for each in records
    )


class Host:
    """One host: ``run`` a verb to its end, or ``start`` it; ``close`` ends what was started."""

    def __init__(self, folder: Path, sqs: SqsStub, s3: S3Stub) -> None:
        self.folder = folder
        self.sqs = sqs
        self.s3 = s3
        self.config = folder / "trailcourier.toml"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in [*sys.path, str(ROOT)] if path),
            "AWS_ENDPOINT_URL_SQS": sqs.url,
            "AWS_ENDPOINT_URL_S3": s3.url,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
        }
        self.started: list[Process] = []
        self.configure()

    def configure(self, *, sink: str = "archive", broker: str = "", **more: Any) -> None:
        """Write the configuration; *broker* is a URL, and without one ``run`` brings its own."""
        self.environment["BROKER"] = broker
        self.config.write_text(
            CONFIG.format(
                queue=self.sqs.queue_url("trail"),
                sink=sink,
                broker='[broker]\nurl = "env:BROKER"' if broker else "",
                **{"processes": 1, "workers": "", **more},
            )
        )

    def put(self, key: str, count: int = 3, **more: Any) -> tuple[str, list[bytes]]:
        """Put a log file into the bucket; its etag and its records."""
        records = [record(f"{key}#{at}", **more) for at in range(count)]
        return self.s3.put(BUCKET, key, log_file(records)), records

    def start(self, *arguments: str, debug: bool = False) -> "Process":
        """Start a verb."""
        argv = [sys.executable, "-m", "trailcourier", *arguments, "--config", str(self.config)]
        log = self.folder / f"output-{len(self.started)}"
        process = Process([*argv, *(["--debug"] if debug else [])], self, log)
        self.started.append(process)
        return process

    def run(self, *arguments: str, seconds: float = 60, debug: bool = False) -> CommandResult:
        """Run a verb to its end."""
        return self.start(*arguments, debug=debug).ended(within=seconds)

    def arrived(self) -> Records:
        """What lies in the files of the file sink."""
        files = [path for path in (self.folder / "events").rglob("*.ndjson") if path.is_file()]
        return counted(line for path in files for line in path.read_bytes().splitlines())

    def left(self) -> list[str]:
        """Processes that have this folder on their command line or in their environment."""
        return [line for line in processes.all_of_them() if str(self.folder) in line]

    def close(self) -> None:
        for each in self.started:
            if each.process.returncode is None:
                child_process.kill(each.process)


class Process:
    """One verb that runs, and what it says; started where a person would start it: elsewhere."""

    def __init__(self, argv: list[str], host: Host, log: Path) -> None:
        self._files = log.with_suffix(".out"), log.with_suffix(".err")
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self.process = child_process.start(
                argv, environment=host.environment, stdout=out, stderr=err, folder=host.folder
            )

    @property
    def out(self) -> str:
        return self._files[0].read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._files[1].read_text(errors="replace")

    def until(self, condition: Callable[[], object], *, within: float = 60) -> None:
        """Wait for *condition*, as long as the process runs."""
        deadline = time.monotonic() + within
        while not condition():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.05)

    def ended(self, *, within: float = 60) -> CommandResult:
        """Wait for its end."""
        deadline = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.err
            time.sleep(0.02)
        return CommandResult(child_process.reap(self.process), self.out, self.err)
