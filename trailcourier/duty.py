"""The duty of one worker process: what its queues ask of it, and that it is heard of."""

import threading
import time
from collections.abc import Callable, Collection, Sequence

import msgspec
import prometheus_client
import redis

from trailcourier import heap, monitor, observe, wiring
from trailcourier.errors import ConfigError, TrailcourierError
from trailcourier.ledger.workers import CONTROL, OBJECTS
from trailcourier.life import Life
from trailcourier.pulse import PULSE, Pulse, beat
from trailcourier.sample import Samples
from trailcourier.settings import Settings

QUEUES = ("control", "objects")

SPARE = 4
"""Threads beside those that poll, so that polls never keep settle and tend waiting."""

LOOK = 30.0  # seconds between two looks of a worker that polls nothing at who is there


class Duty(msgspec.Struct, frozen=True):
    """*name* for people; *threads* in all, of which *carries* have an object in hand at once.

    *tells* says that it tells how sources stand, for it is one of few.
    """

    name: str
    threads: int
    carries: int
    tells: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        """What it does, as the ledger knows it."""
        return (*([CONTROL] if self.tells else []), *([OBJECTS] if self.carries else []))


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
        self._samples = Samples(whole=given.tells)
        self._look_every, self._look_due = (0.0 if given.tells else LOOK), 0.0  # monotonic
        self._pulse = Pulse(given.roles)
        self._worker, self._carries, self._reported = "", 0, False
        heap.tighten()
        if given.carries:
            for source, its in settings.sources.items():
                observe.fact("filter_in_force", source=source, filter=its.drops)
        self._serve(settings)

    def _serve(self, settings: Settings) -> None:
        registry, workers = prometheus_client.REGISTRY, settings.workers
        registry.register(self._samples)
        if workers.metrics_port:
            monitor.serve(
                workers.metrics_host,
                workers.metrics_port,
                registry,
                trouble=self.life.trouble,
                unready=self.unready,
            )

    def unready(self) -> str:
        """Why this process takes no work, or leaves it to others; empty while it takes all."""
        return self.life.unready() or wiring.fitness().why()

    def begin(self, worker: str, carries: int) -> None:
        """Be heard of as *worker*, which carries so many objects at once, until it stops."""
        self._worker, self._carries = worker, carries
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def connected(self) -> None:
        """Note that work is taken from now on, and let the ledger know at once.

        From another thread: this one is the consumer's, and has no time to wait for the broker.
        """
        self.life.connected()
        questions = (self._report, self._look)
        threading.Thread(target=self._ask, args=questions, name="connected", daemon=True).start()

    def _beat(self) -> None:
        """Keep everybody informed until the process stops, then say that it is gone."""
        while not self._stopping.is_set():
            self._touch()
            if self.life.consumes:
                self._ask(self._report, self._look)
            self._stopping.wait(PULSE)
        if self._reported:
            self._ask(self._report)  # that it leaves

    def _touch(self) -> None:
        beat(self._file, stuck=self.life.trouble(), away=self.life.away())

    def _ask(self, *questions: Callable[[], None]) -> None:
        """Ask the broker; one that does not answer is said, and asked again at the next pulse."""
        try:
            for each in questions:
                each()
            self.life.heard()
        except (TrailcourierError, redis.RedisError) as error:
            observe.fact("heartbeat_failed", why=str(error))
        except Exception as error:  # noqa: BLE001 - a worker without a pulse is given no work
            observe.fact("bug", object="pulse", error=f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        if self._stopping.is_set():
            self._pulse.leave(self._worker)
        else:
            self._pulse.report(self._worker, self._carries)
            wiring.look_at_fitness()
        self._reported = True

    def _look(self) -> None:
        if time.monotonic() >= self._look_due:
            self._look_due = time.monotonic() + self._look_every
            self._samples.take()
