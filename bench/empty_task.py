"""The CPU time of a task that does nothing, on Celery's own classes: a unit for this machine.

Milliseconds cannot be compared across machines, and most of what the line adds to the bare loop
is Celery's.  So the bench also reports it as a number of empty tasks.
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
from trailcourier.host import child_process

PREFIX = "empty-task:"
GRACE = 10  # seconds that the worker has to stop

app = Celery("empty_task", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(broker_transport_options={"global_keyprefix": PREFIX}, worker_prefetch_multiplier=1)


@app.task(ignore_result=True)
def empty_task() -> None:
    pass


class EmptyTaskWorker:
    """A worker with eight threads, and its queue."""

    def __init__(self, broker: str, process: child_process.Process) -> None:
        self._client: redis.Redis = redis.Redis.from_url(broker)
        self._broker = broker
        self._process = process

    def measure_ms(self, tasks: int) -> float:
        """Return the worker's CPU milliseconds a task, for *tasks* that wait in its queue."""
        child_process.send(self._process, signal.SIGSTOP)
        with (
            app.connection_for_write(self._broker) as connection,
            app.amqp.Producer(connection) as producer,
        ):
            for _ in range(tasks):
                empty_task.apply_async(producer=producer)
        before = processes.cpu_seconds(self._process.pid)
        child_process.send(self._process, signal.SIGCONT)
        self._await_empty_queue()
        return (processes.cpu_seconds(self._process.pid) - before) / tasks * 1000

    def _await_empty_queue(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self._client.exists(f"{PREFIX}celery", f"{PREFIX}unacked"):
            if (status := self._process.poll()) is not None:
                raise RuntimeError(f"the worker for empty tasks ended with status {status}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the empty tasks were not done in {seconds} s")
            time.sleep(0.01)


@contextlib.contextmanager
def empty_task_worker(broker: str) -> Iterator[EmptyTaskWorker]:
    """Run a worker for empty tasks until the block ends."""
    argv = [sys.executable, "-m", "celery", "-A", "bench.empty_task", "worker", "-P", "threads"]
    argv += ["-c", "8", "-l", "WARNING", "--without-gossip", "--without-mingle"]
    environment = {**os.environ, "BENCH_BROKER": broker}
    process = child_process.start(argv, environment=environment, stdout=subprocess.DEVNULL)
    try:
        worker = EmptyTaskWorker(broker, process)
        worker.measure_ms(100)  # warm up
        yield worker
    finally:
        child_process.send(process, signal.SIGTERM)
        child_process.end(process, grace=GRACE)
