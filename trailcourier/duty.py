"""The duty of one worker process: what its queues ask of it, and that it is heard of."""

import threading
import time
from collections.abc import Callable, Collection, Sequence

import msgspec
import prometheus_client
import redis

from trailcourier import heap, heartbeat, monitor, observe, wiring
from trailcourier.errors import ConfigError, TrailcourierError
from trailcourier.life import Life
from trailcourier.sample import Samples
from trailcourier.settings import Settings

QUEUES = ("control", "objects")

SPARE = 4
"""Threads beside those that poll, so that polls never keep settle and tend waiting."""

PULSE = 10.0  # seconds; a worker not heard of for 30 counts no more
CLOCK = 3600.0  # seconds between two looks at the clock
SKEW = 2.0  # seconds; a tick lives for ten, and its end is compared by another host's clock


class Duty(msgspec.Struct, frozen=True):
    """*name* for people; *threads* in all, of which *carries* have an object in hand at once.

    *tells* says that it tells how sources stand, for it is one of few.
    """

    name: str
    threads: int
    carries: int
    tells: bool = False


def duty(queues: Sequence[str], excluded: Collection[str], settings: Settings) -> Duty:
    """What a worker of *queues* does (of none named: of all); ConfigError where there is no such.

    A worker of both queues is for one host with little to do: there objects can delay a settle.
    """
    chosen = [queue for queue in queues or QUEUES if queue not in excluded]
    for queue in chosen:
        if queue not in QUEUES:
            raise ConfigError([f"there is no queue {queue!r}; there are {' and '.join(QUEUES)}"])
    carries = settings.workers.threads if "objects" in chosen else 0
    polls = sum(source.pollers for source in settings.sources.values())
    control = polls + SPARE if "control" in chosen else 0
    name = chosen[0] if len(chosen) == 1 else "worker"
    return Duty(name, control + carries, carries, tells=bool(control))


class Service:
    """One worker process on its duty, as others hear and see it; *life* is told how it goes.

    Made before the process has threads.
    """

    def __init__(self, given: Duty, settings: Settings, stopping: threading.Event) -> None:
        self.life = Life(stopping)
        self._stopping = stopping
        self._file = settings.workers.heartbeat_file
        self._samples = Samples() if given.tells else None
        self._clock_due = 0.0  # monotonic
        self._worker, self._carries, self._reported = "", 0, False
        heap.tighten()
        if given.carries:
            for source, its in settings.sources.items():
                observe.fact("filter_in_force", source=source, filter=its.drops)
        self._serve(settings)

    def _serve(self, settings: Settings) -> None:
        registry, workers = prometheus_client.REGISTRY, settings.workers
        if self._samples:
            registry.register(self._samples)
        if workers.metrics_port:
            monitor.serve(
                workers.metrics_host,
                workers.metrics_port,
                registry,
                trouble=self.life.trouble,
                unready=self.life.unready,
            )

    def begin(self, worker: str, carries: int) -> None:
        """Be heard of as *worker*, which carries so many objects at once, until it stops."""
        self._worker, self._carries = worker, carries
        threading.Thread(target=self._pulse, name="pulse", daemon=True).start()

    def connected(self) -> None:
        """Note that work is taken from now on, and let the ledger know at once.

        From another thread: this one is the consumer's, and has no time to wait for the broker.
        """
        self.life.connected()
        questions = (self._report, self._look)
        threading.Thread(target=self._ask, args=questions, name="connected", daemon=True).start()

    def _pulse(self) -> None:
        """Keep everybody informed until the process stops, then say that it is gone."""
        while not self._stopping.is_set():
            self._touch()
            if self.life.consumes:
                self._ask(self._report, self._look)
            self._stopping.wait(PULSE)
        if self._reported:
            self._ask(self._report)

    def _touch(self) -> None:
        if not self.life.trouble():
            try:
                heartbeat.touch(self._file)
            except OSError as error:
                observe.fact("heartbeat_failed", why=f"{self._file}: {error.strerror}")

    def _ask(self, *questions: Callable[[], None]) -> None:
        """Ask the broker; one that does not answer is said, and asked again at the next pulse."""
        try:
            for each in questions:
                each()
            self.life.heard()
        except (TrailcourierError, redis.RedisError) as error:
            observe.fact("heartbeat_failed", why=str(error))

    def _report(self) -> None:
        if self._carries:
            wiring.heartbeat(self._worker, 0 if self._stopping.is_set() else self._carries)
        self._reported = True

    def _look(self) -> None:
        if time.monotonic() >= self._clock_due:
            self._clock_due = time.monotonic() + CLOCK
            compare_clocks(wiring.client())
        if self._samples:
            self._samples.take()


def compare_clocks(client: redis.Redis) -> float:
    """How many seconds this machine is ahead of the broker; said where it is too many."""
    before = time.time()
    seconds, micros = client.time()
    ahead = (before + time.time()) / 2 - (seconds + micros / 1e6)
    if abs(ahead) > SKEW:
        observe.fact("clock_skew", seconds_ahead=round(ahead, 1))
    return ahead
