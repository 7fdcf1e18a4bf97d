"""What every contender meets: SQS, S3 and the broker, each a process of its own."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench import bucket, processes, queues
from bench.contenders import Place
from trailcourier import broker

ROOT = Path(__file__).parents[1]
SLOW = 0.03  # seconds; what a GET from S3 takes in its region


class Stage(msgspec.Struct, frozen=True):
    """*slow* is *place* with a bucket that answers after SLOW; *ceiling* is the SQS stub's own."""

    place: Place
    slow: Place
    ceiling: float
    broker: str
    serving: dict[str, list[int]]

    def spent(self) -> dict[str, float]:
        """The CPU seconds so far of who serves the contenders."""
        return {name: sum(map(processes.cpu, pids)) for name, pids in self.serving.items()}


@contextlib.contextmanager
def stage(sizes: tuple[int, ...], messages: int) -> Iterator[Stage]:
    """Set the stage in a folder beside the code, on its disk, with files of so many events.

    *messages* are how many the ceiling of the SQS stub is measured with.
    """
    with contextlib.ExitStack() as stack:
        inside = tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-")
        folder = Path(stack.enter_context(inside))
        s3 = folder / "s3"
        s3.mkdir()
        bucket.write_files(s3, sizes)
        ours = stack.enter_context(broker.embedded(folder / "broker"))
        assert ours.process is not None
        sqs, stub = stack.enter_context(processes.serving("bench.sqs"))
        ceiling = queues.ceiling(sqs, messages)
        fast, nginx = stack.enter_context(bucket.nginx(s3, sizes[0]))
        late, _ = stack.enter_context(processes.serving("bench.bucket", str(s3), str(SLOW)))
        serving = {
            "broker": [ours.process.pid],
            "nginx": [nginx, *processes.children(nginx)],
            "sqs": [stub],
        }
        place = Place(folder, ours.url, sqs, fast)
        slow = msgspec.structs.replace(place, s3=late)
        yield Stage(place, slow, ceiling, _named(ours.url), serving)


def _named(url: str) -> str:
    """The broker's name and version, as it tells them."""
    with broker.connect(url) as client:
        told: dict[str, Any] = client.info("server")
    if "valkey_version" in told:
        return f"Valkey {told['valkey_version']}"
    return f"Redis {told['redis_version']}"
