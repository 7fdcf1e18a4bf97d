"""Opens what the configuration describes, once per process; the only place that composes parts.

This module opens what every process needs: the broker and the ledgers.  ``wiring.lines`` opens what
forwards need: AWS's libraries take a second to import, and beat does without them.

Everything is opened at its first use and shared by all threads of the process.  A worker that forks
after that would share connections with its children, so workers use threads.
"""

import socket
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TypeVar

import msgspec
import redis

from trailcourier import settings as configuration
from trailcourier.clock import SYSTEM_CLOCK
from trailcourier.errors import ConfigError
from trailcourier.ledger import Ledger, broker
from trailcourier.ledger.redis_client import Client, Login
from trailcourier.ledger.store import Store
from trailcourier.ledger.workers import FleetRoster, WorkerRegistry
from trailcourier.line import failpoint
from trailcourier.line.fitness import Fitness
from trailcourier.observability import log
from trailcourier.once_cache import OnceCache
from trailcourier.settings import Settings

R = TypeVar("R")

stopping = threading.Event()
"""Set by the first signal to stop; polls, forwards and heartbeats check it."""

_forgets: list[Callable[[], None]] = []
_chosen: list[Settings] = []  # at most one


def once(make: Callable[..., R]) -> Callable[..., R]:
    """Cache *make* by its arguments; threads that call it first at once share one result."""
    kept = OnceCache()
    _forgets.append(kept.clear)

    @wraps(make)
    def get(*arguments: Hashable) -> R:
        return kept.get(arguments, lambda: make(*arguments))

    return get


@once
def settings() -> Settings:
    """Return the configuration of this process; raises ConfigError with every problem."""
    found = _chosen[0] if _chosen else configuration.load()
    if found.fail_point:
        failpoint.arm(found.fail_point)
    log.configure(found.workers.log_format, found.workers.log_level)
    return found


def configure(chosen: Settings) -> None:
    """Use *chosen* in this process instead of the configuration that ``settings`` would load."""
    forget()
    _chosen.append(chosen)
    settings()


def forget() -> None:
    """Forget everything that is open; its next use opens it again, from the configuration then."""
    _chosen.clear()
    for each in _forgets:
        each()


@once
def client() -> Client:
    """Return the client of the broker; raises ConfigError if none is configured."""
    found = settings()
    ca_file = str(found.broker.ca_file) if found.broker.ca_file else None
    login = Login(found.broker_url)
    return broker.connect(found.broker_url(), ca_file=ca_file, login=login)


def demand_broker() -> None:
    """Raise ConfigError or Unreachable unless the broker answers and is usable."""
    broker.check_requirements(client(), noeviction=settings().broker.require_noeviction)


@contextmanager
def answering() -> Iterator[None]:
    """Raise Unreachable if the broker stops answering within the block."""
    try:
        yield
    except redis.RedisError as error:
        raise broker.unreachable(client(), error) from error


@once
def fitness() -> Fitness:
    """Return the fitness of this host: whether it can do the work that its workers take."""
    return Fitness(socket.gethostname(), SYSTEM_CLOCK)


def update_fitness() -> None:
    """Read which of this host's own breakers have closed; raises RedisError.

    One also closes without a success here, when a second host fails the same way: then the fault
    is not this host's own.
    """
    if fitness().why():
        opened = ledger(next(iter(settings().sources))).breakers.list_all()
        fitness().keep_open([each.name for each in opened])


@once
def ledger(source: str) -> Ledger:
    """Return the ledger of *source*, also of one that the configuration does not have."""
    found = settings()
    given = found.sources.get(source)
    sinks = given.sinks if given else None
    return Ledger(client(), source, found.numbers, found.broker.namespace, sinks)


def known(source: str) -> str:
    """Return *source*; raises ConfigError, which names the sources, if there is no such one."""
    names = settings().sources
    if source not in names:
        there = ", ".join(names) or "none"
        raise ConfigError([f"there is no source {source!r}; configured: {there}"])
    return source


@once
def workers() -> WorkerRegistry:
    """Return the registry of the fleet's processes, which belong to no source."""
    found = settings()
    return WorkerRegistry(Store(client(), "", found.numbers, found.broker.namespace))


def roll() -> FleetRoster:
    """Return the processes of the fleet, and what impairs the broker, if anything."""
    found = workers().list_processes()
    return msgspec.structs.replace(found, impaired=broker.describe_trouble(client()))
