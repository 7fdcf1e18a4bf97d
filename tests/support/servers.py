"""Real servers on 127.0.0.1 for tests: each waits until it answers and is ended by its pid."""

import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trailcourier.demo.aws import DemoAccount, emulated_aws
from trailcourier.host import child_process, embedded_broker

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
MANY = 1000  # ports
# below those that a system gives out by itself, which any connection may have at any time
_first = 10_000 + WORKER % 20 * MANY
_ports = itertools.cycle(random.SystemRandom().sample(range(_first, _first + MANY), MANY))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and nobody else begins to meanwhile."""
    for port in itertools.islice(_ports, MANY):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@contextlib.contextmanager
def valkey(
    directory: Path | None = None, *, persist: bool = False
) -> Iterator[embedded_broker.EmbeddedBroker]:
    """A broker of one's own; kill it with ``child.kill(it.process)``, ``start()`` it again."""
    with contextlib.ExitStack() as stack:
        where = directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = stack.enter_context(embedded_broker.start_broker(where, persist=persist))
        try:
            yield running
        finally:
            if running.process is not None:  # a frozen one would not end when asked
                child_process.kill(running.process)


@contextlib.contextmanager
def moto() -> Iterator[DemoAccount]:
    """An emulated AWS with the demo's buckets, topics and queues; ``it.url`` is its endpoint."""
    environment = {
        **os.environ,
        "MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false",  # a test purges as it likes
    }
    with emulated_aws(environment, subprocess.DEVNULL) as account:
        yield account


@contextlib.contextmanager
def sqs_process(*queues: str) -> Iterator[dict[str, Any]]:
    """The SQS stub as a process; gives its ``url`` and the ``queues`` by name."""
    with _python("tests.support.sqs_stub", queues) as started:
        yield started


@contextlib.contextmanager
def s3_process(*arguments: str) -> Iterator[dict[str, Any]]:
    """The S3 stub as a process; gives its ``url``."""
    with _python("tests.support.s3_stub", arguments) as started:
        yield started


@contextlib.contextmanager
def _python(module: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A module that prints a line of JSON once it serves."""
    process = child_process.start(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        child_process.stop(process, grace=5)
