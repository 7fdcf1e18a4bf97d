"""A fleet of real workers for a test, on a broker of its own."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from celery import Celery

from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub
from trailcourier.host import child_process

ROOT = Path(__file__).parents[2]

CONFIG = """
[broker]
url = "env:FLEET_BROKER"

[workers]
threads = 3
metrics_port = 0
heartbeat_file = "{path}/heartbeat"

[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
pollers = 2
sinks = ["archive"]

[sources.dev]
queue_url = "https://sqs.us-east-1.amazonaws.com/444455556666/cloudtrail"
sinks = ["archive"]

[sinks.archive]
type = "file"
path = "{path}/events"
"""

COLLECTING = """
[broker]
url = "env:FLEET_BROKER"
{broker}
[workers]
threads = 3

[line]
receive_wait = 1
[line.expert]
poll = 2

[sources.prod]
queue_url = "{queue}"
queue_region = "us-east-1"
buckets = ["acme-*"]
unfiltered = true
sinks = ["archive"]

[sources.prod.credentials]
kind = "iam-user"
access_key_id = "env:FLEET_KEY_ID"
secret_access_key = "env:FLEET_KEY"

[sinks.archive]
type = "file"
path = "{path}/events"
"""

SECRETS = {"FLEET_KEY_ID": "AKIAEXAMPLEEXAMPLE", "FLEET_KEY": "a-key-that-nobody-may-see"}

KEYS = {"global_keyprefix": "trailcourier:1:celery:", "priority_steps": [0]}


def until(
    condition: Callable[[], object], *, seconds: float = 30, what: Callable[[], str] = str
) -> None:
    """Wait for *condition*; a test that waits in vain fails with *what* there is to say."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.05)


def outdate(file: Path, seconds: float = 61) -> None:
    """Have the heartbeat in *file* be so many seconds older."""
    at, rest = file.read_text().split("\n", 1)
    file.write_text(f"{float(at) - seconds}\n{rest}")


class Worker:
    """One process of the fleet and what it wrote."""

    def __init__(self, argv: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.files = log.with_suffix(".out"), log.with_suffix(".err")
        with self.files[0].open("wb") as out, self.files[1].open("wb") as err:
            self.process = child_process.start(
                argv, environment=environment, stdout=out, stderr=err
            )

    @property
    def stdout(self) -> str:
        return self.files[0].read_text(errors="replace")

    @property
    def output(self) -> str:
        """All it wrote, to standard output and then to standard error."""
        return self.stdout + self.files[1].read_text(errors="replace")

    def until(self, text: str, *, seconds: float = 30) -> "Worker":
        until(lambda: text in self.output or self.ended, seconds=seconds, what=lambda: self.output)
        assert text in self.output, self.output
        return self

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self, seconds: float = 30) -> int:
        until(lambda: self.ended, seconds=seconds, what=lambda: self.output)
        return child_process.reap(self.process)


class Fleet:
    """The programs of one configuration; ``close`` ends those that still run."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.config = folder / "trailcourier.toml"
        self.config.write_text(CONFIG.format(path=folder))
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in [*sys.path, str(ROOT)] if path),
            "TRAILCOURIER_CONFIG": str(self.config),
            "FLEET_BROKER": url,
        }
        self.started: list[Worker] = []
        self.app = Celery("test", broker=url, backend=f"tasks.backend.Backend+{url}")
        self.app.conf.update(
            broker_transport_options=KEYS,
            result_backend_transport_options=KEYS,
            task_ignore_result=True,
        )

    def collect(self, sqs: SqsStub, s3: S3Stub, broker: str = "") -> None:
        """Collect from the queue ``trail`` of *sqs*; *broker* is more for its table."""
        queue = sqs.create("trail", visibility=600)
        self.config.write_text(COLLECTING.format(queue=queue, path=self.folder, broker=broker))
        self.environment |= SECRETS
        self.environment |= {"AWS_ENDPOINT_URL_SQS": sqs.url, "AWS_ENDPOINT_URL_S3": s3.url}

    def celery(self, *args: str, **environment: str) -> Worker:
        """Start ``celery *args*``."""
        log = self.folder / f"celery-{len(self.started)}"
        argv = [sys.executable, "-m", "celery", *args]
        worker = Worker(argv, {**self.environment, **environment}, log)
        self.started.append(worker)
        return worker

    def worker(self, *args: str, **environment: str) -> Worker:
        """Start a worker and wait until it is ready."""
        started = self.celery("-A", "tasks", "worker", "-l", "INFO", *args, **environment)
        return started.until(" ready.")

    def close(self) -> None:
        for worker in self.started:
            if worker.process.returncode is None:
                child_process.kill(worker.process)
        self.app.close()
