"""The role of one worker process, from its queues, and the service that reports its health."""

import threading
import time
from collections.abc import Callable, Collection, Sequence

import msgspec
import prometheus_client
import redis

from trailcourier import wiring
from trailcourier.errors import ConfigError, TrailcourierError
from trailcourier.ledger.workers import CONTROL, OBJECTS
from trailcourier.observability import http_server, log
from trailcourier.observability.health import ProcessHealth
from trailcourier.settings import Settings
from trailcourier.worker import malloc
from trailcourier.worker.gauges import Samples
from trailcourier.worker.presence import INTERVAL, WorkerPresence, beat

QUEUES = ("control", "objects")

SPARE = 4
"""Threads in addition to those that poll, so that settle and maintenance never wait for polls."""

FAREWELL = 5.0  # seconds; a broker that does not answer ends the process sooner
SAMPLE_INTERVAL = 30.0  # seconds between samples of a worker that exports the fleet alone


class WorkerRole(msgspec.Struct, frozen=True):
    """What a worker does: *threads* in all, of which *forwards* may forward an object at once.

    *name* is for people.  *samples* says that it exports the status of sources: control workers do,
    because there are few of them.
    """

    name: str
    threads: int
    forwards: int
    samples: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of this worker in the ledger."""
        return (*([CONTROL] if self.samples else []), *([OBJECTS] if self.forwards else []))


def role_of(queues: Sequence[str], excluded: Collection[str], settings: Settings) -> WorkerRole:
    """Return the role of a worker of *queues*, of all if none is named.

    Raises ConfigError for an unknown queue.  A worker of both queues is for one host with little
    traffic: there, forwards can delay a settle.
    """
    chosen = [queue for queue in queues or QUEUES if queue not in excluded]
    for queue in chosen:
        if queue not in QUEUES:
            raise ConfigError([f"there is no queue {queue!r}; there are {' and '.join(QUEUES)}"])
    forwards = settings.workers.threads if "objects" in chosen else 0
    polls = sum(source.pollers for source in settings.sources.values())
    control = polls + SPARE if "control" in chosen else 0
    name = chosen[0] if len(chosen) == 1 else "worker"
    return WorkerRole(name, control + forwards, forwards, samples=bool(control))


class WorkerService:
    """Reports one worker process to the ledger, and serves its metrics and its *health*.

    Create it before the process has threads.
    """

    def __init__(self, role: WorkerRole, settings: Settings, stopping: threading.Event) -> None:
        self.health = ProcessHealth(stopping)
        self._stopping = stopping
        self._file = settings.workers.heartbeat_file
        self._samples = Samples(whole=role.samples)
        self._interval = 0.0 if role.samples else SAMPLE_INTERVAL
        self._due = 0.0  # monotonic
        self._presence = WorkerPresence(role.roles)
        self._worker, self._forwards, self._reported = "", 0, False
        self._reporting = threading.Lock()
        self._heartbeats = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        malloc.limit_arenas()
        if role.forwards:
            for name, source in settings.sources.items():
                log.emit("filter_in_force", source=name, filter=source.drops)
        self._serve(settings)

    def _serve(self, settings: Settings) -> None:
        registry, workers = prometheus_client.REGISTRY, settings.workers
        registry.register(self._samples)
        if workers.metrics_port:
            http_server.serve(
                workers.metrics_host,
                workers.metrics_port,
                registry,
                trouble=self.health.trouble,
                unready=self.unready,
            )

    def unready(self) -> str:
        """Return why this process takes no work, or leaves some to other hosts; else nothing."""
        return self.health.unready() or wiring.fitness().why()

    def begin(self, worker: str, forwards: int) -> None:
        """Send heartbeats as *worker*, which runs *forwards* at once, until the process stops."""
        self._worker, self._forwards = worker, forwards
        self._heartbeats.start()

    def end(self) -> None:
        """Wait until the stopping process has reported that it leaves, or FAREWELL seconds."""
        self._heartbeats.join(FAREWELL)

    def connected(self) -> None:
        """Note that the consumer is connected, and report it to the ledger at once.

        A thread of its own reports, because the caller is the consumer's thread, which must not
        wait for the broker.
        """
        self.health.connected()
        calls = (self._report, self._sample)
        threading.Thread(target=self._call, args=calls, name="connected", daemon=True).start()

    def _beat(self) -> None:
        """Send a heartbeat at each interval until the process stops, then report that it leaves."""
        while not self._stopping.is_set():
            self._touch()
            if self.health.consumes:
                self._call(self._report, self._sample)
            self._stopping.wait(INTERVAL)
        with self._reporting:  # a report under way would arrive later and undo this
            if self._reported:
                self._call(lambda: self._presence.leave(self._worker))

    def _touch(self) -> None:
        beat(self._file, stuck=self.health.trouble(), away=self.health.away())

    def _call(self, *calls: Callable[[], None]) -> None:
        """Run *calls* to the broker; log a failure: the next heartbeat tries again."""
        try:
            for each in calls:
                each()
            self.health.broker_answered()
        except (TrailcourierError, redis.RedisError) as error:
            log.emit("heartbeat_failed", why=str(error))
        except Exception as error:  # noqa: BLE001 - a worker without heartbeats would get no work
            log.emit("bug", object="heartbeat", error=f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        with self._reporting:
            if self._stopping.is_set():
                return
            self._reported = True  # one whose answer is lost may have arrived
            self._presence.report(self._worker, self._forwards)
        wiring.update_fitness()

    def _sample(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._interval
            self._samples.take()
