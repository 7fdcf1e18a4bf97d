"""The duty of one worker process: what its queues ask of it, and that it is heard of."""

import threading
import time
from collections.abc import Collection, Sequence

import msgspec
import redis

from trailcourier import heap, observe, wiring
from trailcourier.errors import ConfigError, TrailcourierError
from trailcourier.settings import Settings

QUEUES = ("control", "objects")

SPARE = 4
"""Threads beside those that poll, so that polls never keep settle and tend waiting."""

PULSE = 10.0  # seconds; a worker not heard of for 30 counts no more
CLOCK = 3600.0  # seconds between two looks at the clock
SKEW = 2.0  # seconds; a tick lives for ten, and its end is compared by another host's clock


class Duty(msgspec.Struct, frozen=True):
    """*name* for people; *threads* in all, of which *carries* have an object in hand at once."""

    name: str
    threads: int
    carries: int


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
    return Duty(name, control + carries, carries)


def begin(given: Duty, settings: Settings) -> None:
    """Set up this process for *given*, before it has threads, and say what its filters drop."""
    heap.tighten()
    if given.carries:
        for source, its in settings.sources.items():
            observe.fact("filter_in_force", source=source, filter=its.drops)


def pulse(worker: str, carries: int, stopping: threading.Event) -> None:
    """Keep the ledger informed of *worker* until it stops, then that it is gone."""
    look = time.monotonic()
    while True:
        try:
            if carries:
                wiring.heartbeat(worker, 0 if stopping.is_set() else carries)
            if time.monotonic() >= look:
                look = time.monotonic() + CLOCK
                compare_clocks(wiring.client())
        except (TrailcourierError, redis.RedisError) as error:
            observe.fact("heartbeat_failed", why=str(error))
        if stopping.is_set():
            return
        stopping.wait(PULSE)


def compare_clocks(client: redis.Redis) -> float:
    """How many seconds this machine is ahead of the broker; said where it is too many."""
    before = time.time()
    seconds, micros = client.time()
    ahead = (before + time.time()) / 2 - (seconds + micros / 1e6)
    if abs(ahead) > SKEW:
        observe.fact("clock_skew", seconds_ahead=round(ahead, 1))
    return ahead
