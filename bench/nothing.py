"""What a task costs in which nothing is done, on Celery's own classes: the measure of a machine.

Milliseconds mean little from one machine to the next, and what the line adds to the bare loop is
mostly Celery's.  So it is also told in such tasks.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import redis
from celery import Celery

from bench import processes
from trailcourier import child

PREFIX = "nothing:"
GRACE = 10  # seconds to stop

app = Celery("nothing", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(broker_transport_options={"global_keyprefix": PREFIX}, worker_prefetch_multiplier=1)


@app.task(ignore_result=True)
def nothing() -> None:
    pass


class Idle:
    """A worker of eight threads, and its queue."""

    def __init__(self, broker: str, process: child.Process) -> None:
        self._client: redis.Redis = redis.Redis.from_url(broker)
        self._broker = broker
        self._process = process

    def ms(self, tasks: int) -> float:
        """Milliseconds of CPU that the worker takes for each of so many tasks that wait for it."""
        child.send(self._process, signal.SIGSTOP)
        with (
            app.connection_for_write(self._broker) as connection,
            app.amqp.Producer(connection) as to,
        ):
            for _ in range(tasks):
                nothing.apply_async(producer=to)
        before = processes.cpu(self._process.pid)
        child.send(self._process, signal.SIGCONT)
        self._until_empty()
        return (processes.cpu(self._process.pid) - before) / tasks * 1000

    def _until_empty(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self._client.exists(f"{PREFIX}celery", f"{PREFIX}unacked"):
            if (status := self._process.poll()) is not None:
                raise RuntimeError(f"the worker with nothing to do ended, status {status}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the worker has not done its nothing in {seconds} s")
            time.sleep(0.01)


@contextlib.contextmanager
def idle(broker: str) -> Iterator[Idle]:
    """Run such a worker until the block ends."""
    argv = [sys.executable, "-m", "celery", "-A", "bench.nothing", "worker", "-P", "threads"]
    argv += ["-c", "8", "-l", "WARNING", "--without-gossip", "--without-mingle"]
    told = {**os.environ, "BENCH_BROKER": broker}
    process = child.start(argv, environment=told, stdout=subprocess.DEVNULL)
    try:
        made = Idle(broker, process)
        made.ms(100)
        yield made
    finally:
        child.send(process, signal.SIGTERM)
        child.end(process, grace=GRACE)
