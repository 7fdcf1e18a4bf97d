"""The health and metrics of a fleet on one host, collected from its processes."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import redis
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from trailcourier.errors import TrailcourierError
from trailcourier.host import temp_folder
from trailcourier.host.specs import ProcessSpec
from trailcourier.host.temp_folder import TempFolder
from trailcourier.observability import heartbeat, http_server, log
from trailcourier.observability.health import AWAY, silence
from trailcourier.settings import Settings
from trailcourier.worker.gauges import Samples
from trailcourier.worker.presence import beat

INTERVAL = 10.0  # seconds between two samples
WITH_HEARTBEAT = frozenset({"objects", "control", "beat"})  # roles with a heartbeat file


class FleetHealth:
    """Reads a fleet's heartbeat files and ledgers, and serves its health and metrics."""

    def __init__(self, found: Settings, folder: TempFolder) -> None:
        self._workers = found.workers
        self._folder = folder
        self._samples = Samples()
        self._files: dict[str, Path] = {}
        self._answered = time.monotonic()
        self._stopping = threading.Event()

    def watched(self, members: Sequence[ProcessSpec]) -> list[ProcessSpec]:
        """Return *members* with files for metrics and heartbeat, and without their own servers."""
        return [self._watched(each) for each in members]

    def _watched(self, member: ProcessSpec) -> ProcessSpec:
        if member.role not in WITH_HEARTBEAT:
            return member
        file = self._files[member.name] = self._folder.path / f"{member.name}.heartbeat"
        heartbeat.touch(file)  # counts until the process writes it
        environment = {
            **member.environment,
            "PROMETHEUS_MULTIPROC_DIR": str(self._folder.path),
            "TRAILCOURIER_WORKERS__METRICS_PORT": "0",
            "TRAILCOURIER_WORKERS__HEARTBEAT_FILE": str(file),
        }
        keep = (*member.keep, self._folder.lock)
        return msgspec.structs.replace(member, environment=environment, keep=keep)

    def trouble(self) -> str:
        """Return which processes should be restarted, or nothing."""
        return self._of_each(heartbeat.restart)

    def away(self) -> str:
        """Return which processes have been without their broker for too long, or nothing."""
        return self._of_each(heartbeat.trouble) or silence(time.monotonic() - self._answered, AWAY)

    def unready(self) -> str:
        """Return why the fleet takes no work now, or nothing while it does."""
        if self._stopping.is_set():
            return "stopping"
        return silence(time.monotonic() - self._answered) or self._of_each(heartbeat.trouble)

    def _of_each(self, check: Callable[[Path], str]) -> str:
        found = {name: check(file) for name, file in self._files.items()}
        return "; ".join(f"{name}: {why}" for name, why in found.items() if why)

    @contextmanager
    def serving(self, stopping: threading.Event) -> Iterator[None]:
        """Sample and serve until the block ends; *stopping* is set when the fleet stops."""
        self._stopping, ended = stopping, threading.Event()
        registry = CollectorRegistry()
        collect: Any = MultiProcessCollector  # untyped
        collect(registry, path=str(self._folder.path))
        registry.register(self._samples)
        host, port = self._workers.metrics_host, self._workers.metrics_port
        page = port and http_server.serve(
            host, port, registry, trouble=self.trouble, unready=self.unready
        )
        sampling = threading.Thread(target=self._sample, args=(ended,), name="watch", daemon=True)
        sampling.start()
        try:
            yield
        finally:
            ended.set()
            sampling.join()
            if page:
                page.close()

    def _sample(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self._beat()
            try:
                self._samples.take()
                self._answered = time.monotonic()
            except (TrailcourierError, redis.RedisError) as error:
                log.emit("heartbeat_failed", why=str(error))
            temp_folder.sweep()  # children of a run that was killed may have ended meanwhile
            ended.wait(INTERVAL)

    def _beat(self) -> None:
        beat(self._workers.heartbeat_file, stuck=self.trouble(), away=self.away())


@contextmanager
def watch(found: Settings) -> Iterator[FleetHealth]:
    """Yield the health of one run of a fleet, with a temporary folder for it."""
    with temp_folder.create() as folder:
        yield FleetHealth(found, folder)
