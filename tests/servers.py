"""Real servers on 127.0.0.1 for tests: each waits until it answers and is ended by its pid."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trailcourier import broker, child
from trailcourier.demo.aws import Account, emulated


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def valkey(directory: Path | None = None, *, persist: bool = False) -> Iterator[broker.Embedded]:
    """A broker of one's own; kill it with ``child.kill(it.process)``, ``start()`` it again."""
    with contextlib.ExitStack() as stack:
        where = directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield stack.enter_context(broker.embedded(where, persist=persist))


@contextlib.contextmanager
def moto() -> Iterator[Account]:
    """An emulated AWS with the demo's buckets, topics and queues; ``it.url`` is its endpoint."""
    environment = {
        **os.environ,
        "MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false",  # a test purges as it likes
    }
    with emulated(environment, subprocess.DEVNULL) as account:
        yield account


@contextlib.contextmanager
def sqs_process(*queues: str) -> Iterator[dict[str, Any]]:
    """The SQS stub as a process; gives its ``url`` and the ``queues`` by name."""
    with _python("tests.sqs_stub", queues) as said:
        yield said


@contextlib.contextmanager
def s3_process(*arguments: str) -> Iterator[dict[str, Any]]:
    """The S3 stub as a process; gives its ``url``."""
    with _python("tests.s3_stub", arguments) as said:
        yield said


@contextlib.contextmanager
def _python(module: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A module that prints a line of JSON once it serves."""
    process = child.start([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        child.stop(process, grace=5)
