"""What the contenders use: SQS, S3 and the broker, each a process of its own."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench import bucket, processes, queues
from bench.contenders import Endpoints
from trailcourier.host import embedded_broker
from trailcourier.ledger import broker

ROOT = Path(__file__).parents[1]
SLOW = 0.03  # seconds; what a GET from S3 takes within its region


class Services(msgspec.Struct, frozen=True):
    """*slow* is *endpoints* with a bucket that answers after SLOW seconds.

    *stub_rate* is how many messages a second the SQS stub alone serves, *broker* its name and
    version, *pids* the processes of each service.
    """

    endpoints: Endpoints
    slow: Endpoints
    stub_rate: float
    broker: str
    pids: dict[str, list[int]]

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU seconds of each service so far."""
        return {name: sum(map(processes.cpu_seconds, pids)) for name, pids in self.pids.items()}


@contextlib.contextmanager
def services(sizes: tuple[int, ...], messages: int) -> Iterator[Services]:
    """Start the services, with log files of *sizes* events, until the block ends.

    Their folder lies next to the code, so on the same disk.  *messages* is how many the SQS stub's
    own rate is measured with.
    """
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-")
        folder = Path(stack.enter_context(temporary))
        s3 = folder / "s3"
        s3.mkdir()
        bucket.write_files(s3, sizes)
        started = stack.enter_context(embedded_broker.start_broker(folder / "broker"))
        assert started.process is not None
        sqs, sqs_pid = stack.enter_context(processes.serve_module("bench.sqs"))
        stub_rate = queues.measure_stub_rate(sqs, messages)
        fast, nginx_pid = stack.enter_context(bucket.nginx(s3, sizes[0]))
        late, _ = stack.enter_context(processes.serve_module("bench.bucket", str(s3), str(SLOW)))
        pids = {
            "broker": [started.process.pid],
            "nginx": [nginx_pid, *processes.children(nginx_pid)],
            "sqs": [sqs_pid],
        }
        endpoints = Endpoints(folder, started.url, sqs, fast)
        slow = msgspec.structs.replace(endpoints, s3=late)
        yield Services(endpoints, slow, stub_rate, _broker_version(started.url), pids)


def _broker_version(url: str) -> str:
    """Return the broker's name and version."""
    with broker.connect(url) as client:
        info: dict[str, Any] = client.info("server")
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"
