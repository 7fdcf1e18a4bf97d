"""A fleet on one host as others see it: its processes' metrics together, its health as theirs."""

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

from trailcourier import heartbeat, monitor, observe, scratch
from trailcourier.errors import TrailcourierError
from trailcourier.fleet import Member
from trailcourier.life import AWAY, silence
from trailcourier.pulse import beat
from trailcourier.sample import Samples
from trailcourier.scratch import Scratch
from trailcourier.settings import Settings

LOOK = 10.0  # seconds
BEATS = frozenset({"objects", "control", "beat"})  # the roles with a heartbeat file


class Watch:
    """Looks at a fleet's heartbeat files and at its ledgers, and serves what it saw."""

    def __init__(self, found: Settings, made: Scratch) -> None:
        self._workers = found.workers
        self._scratch = made
        self._samples = Samples()
        self._files: dict[str, Path] = {}
        self._heard = time.monotonic()
        self._stopping = threading.Event()

    def over(self, members: Sequence[Member]) -> list[Member]:
        """The *members*, told where to count and to beat; their own pages are off."""
        return [self._told(each) for each in members]

    def _told(self, member: Member) -> Member:
        if member.role not in BEATS:
            return member
        file = self._files[member.name] = self._scratch.path / f"{member.name}.heartbeat"
        heartbeat.touch(file)  # until it beats by itself
        environment = {
            **member.environment,
            "PROMETHEUS_MULTIPROC_DIR": str(self._scratch.path),
            "TRAILCOURIER_WORKERS__METRICS_PORT": "0",
            "TRAILCOURIER_WORKERS__HEARTBEAT_FILE": str(file),
        }
        keep = (*member.keep, self._scratch.lock)
        return msgspec.structs.replace(member, environment=environment, keep=keep)

    def trouble(self) -> str:
        """Which processes should be restarted; empty where none should."""
        return self._told_of(heartbeat.restart)

    def away(self) -> str:
        """Which processes have been without their broker for too long; empty where none has."""
        return self._told_of(heartbeat.trouble) or silence(time.monotonic() - self._heard, AWAY)

    def unready(self) -> str:
        """Why no work is taken just now; empty where it is."""
        if self._stopping.is_set():
            return "stopping"
        return silence(time.monotonic() - self._heard) or self._told_of(heartbeat.trouble)

    def _told_of(self, ask: Callable[[Path], str]) -> str:
        said = {name: ask(file) for name, file in self._files.items()}
        return "; ".join(f"{name}: {what}" for name, what in said.items() if what)

    @contextmanager
    def serving(self, stopping: threading.Event) -> Iterator[None]:
        """Look and serve until the block ends; *stopping* says that the fleet is about to."""
        self._stopping, ended = stopping, threading.Event()
        registry = CollectorRegistry()
        collect: Any = MultiProcessCollector  # untyped
        collect(registry, path=str(self._scratch.path))
        registry.register(self._samples)
        host, port = self._workers.metrics_host, self._workers.metrics_port
        page = port and monitor.serve(
            host, port, registry, trouble=self.trouble, unready=self.unready
        )
        looking = threading.Thread(target=self._look, args=(ended,), name="watch", daemon=True)
        looking.start()
        try:
            yield
        finally:
            ended.set()
            looking.join()
            if page:
                page.close()

    def _look(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self._beat()
            try:
                self._samples.take()
                self._heard = time.monotonic()
            except (TrailcourierError, redis.RedisError) as error:
                observe.fact("heartbeat_failed", why=str(error))
            scratch.sweep()  # children of a run that was killed may have ended since
            ended.wait(LOOK)

    def _beat(self) -> None:
        beat(self._workers.heartbeat_file, stuck=self.trouble(), away=self.away())


@contextmanager
def watch(found: Settings) -> Iterator[Watch]:
    """A watch with a folder of its own, for one run of a fleet."""
    with scratch.scratch() as made:
        yield Watch(found, made)
