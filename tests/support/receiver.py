"""A receiver that keeps every record it is given, copies included, and a sink that sends to it.

The receiver is a process of its own on 127.0.0.1, ``receiver_server.py``.  It appends each batch
to a file with one write and only then says so, so that what was acknowledged is there to count,
whoever is killed.
Production code knows nothing of the sink: ``join`` adds it to the union of the sinks, and a process
started with ``environment()`` does so before anything else.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from trailcourier import sinks
from trailcourier.aws.network import Network
from trailcourier.errors import Fault, Rejected
from trailcourier.host import child_process
from trailcourier.models import Origin
from trailcourier.sinks.config import DeliverySettings

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("receiver_server.py")
SITE = Path(__file__).with_name("receiver_site")
HOST = "127.0.0.1"


class Receiver(DeliverySettings):
    """Send each batch as ``<bytes>`` and lines; the answer is ok, busy or rejected."""

    type: Literal["receiver"]
    port: int
    timeout_seconds: float = 10

    def open(self, name: str, network: Network) -> "ReceiverSink":
        return ReceiverSink(name, self)


class ReceiverSink:
    commits: Literal["batch", "object"] = "batch"

    def __init__(self, name: str, config: Receiver) -> None:
        self.name = name
        self._config = config

    def start(self, origin: Origin) -> "ReceiverSink":
        return self

    def send(self, batch: Sequence[bytes]) -> None:
        body = b"".join(record + b"\n" for record in batch)
        try:
            answer = ask(self._config.port, body, timeout=self._config.timeout_seconds)
        except OSError as error:
            raise Fault("sink-unreachable", f"receiver: {error}", where=self.name) from error
        match answer:
            case "ok":
                return
            case "rejected":
                raise Rejected("receiver: rejected", where=self.name)
            case "busy":
                raise Fault("sink-busy", "receiver: busy", where=self.name)
            case _:
                raise Fault("sink-unreachable", f"receiver: {answer!r}", where=self.name)

    def finish(self) -> None: ...

    def drop(self) -> None: ...

    def close(self) -> None: ...


def join() -> None:
    """Add the receiver to the sinks a configuration may name, in this process."""
    known, _ = get_args(sinks.SinkConfig)
    sinks.SinkConfig = Annotated[known | Receiver, Field(discriminator="type")]


def environment() -> dict[str, str]:
    """What makes a Python process, and all it starts, know the receiver."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(SITE), str(ROOT), *filter(None, inherited)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def ask(port: int, body: bytes, *, timeout: float, verb: str = "take") -> str:
    with socket.create_connection((HOST, port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(f"{verb} {len(body)}\n".encode() + body)
        return connection.makefile("rb").readline().decode().strip()


class Running:
    """A receiver process; what it was given lies in *log*, whether it runs or not."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.port = 0
        self._process: child_process.Process | None = None

    def start(self) -> None:
        """Start it, the second time on the same port."""
        argv = [sys.executable, "-I", "-S", str(SERVER), str(self.log), str(self.port)]
        self._process = child_process.start(argv, stdout=subprocess.PIPE)
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        child_process.kill(self._process)

    def reject(self, text: bytes) -> None:
        """From now on reject every batch with *text* in it; empty: none."""
        ask(self.port, text, timeout=10, verb="reject")

    def busy(self, batches: int) -> None:
        """Answer busy to the next *batches*."""
        ask(self.port, str(batches).encode(), timeout=10, verb="busy")

    def slow(self, seconds: float) -> None:
        """Take so long over each batch from now on."""
        ask(self.port, str(seconds).encode(), timeout=10, verb="slow")

    def freeze(self, *, frozen: bool) -> None:
        """Let it answer nothing, or go on."""
        child_process.send(self._process, signal.SIGSTOP if frozen else signal.SIGCONT)

    def records(self) -> list[bytes]:
        """Every record acknowledged so far, in order of arrival, copies included."""
        data = self.log.read_bytes() if self.log.exists() else b""
        return data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]


@contextlib.contextmanager
def running(log: Path) -> Iterator[Running]:
    receiver = Running(log)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()
