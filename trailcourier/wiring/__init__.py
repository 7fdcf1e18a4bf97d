"""The configuration made into open things, once per process; the only place that composes them.

Here is what every process needs: the broker and the ledgers.  ``wiring.lines`` has what carries
objects; it needs AWS's libraries, which cost a second to import, so the clock does without.

All is opened at first use and shared by all threads of the process; a worker that forks after that
would share connections, so workers use threads.
"""

import socket
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import TypeVar

import msgspec
import redis

from trailcourier import broker, observe
from trailcourier import settings as configuration
from trailcourier.client import Client, Login
from trailcourier.clock import SYSTEM_CLOCK
from trailcourier.errors import ConfigError
from trailcourier.ledger import Ledger
from trailcourier.ledger.store import Store
from trailcourier.ledger.workers import Roll, Workers
from trailcourier.line import failpoint
from trailcourier.line.fitness import Fitness
from trailcourier.settings import Settings

R = TypeVar("R")

_opening = threading.RLock()
_forgets: list[Callable[[], None]] = []
_given: list[Settings] = []  # at most one


def once(make: Callable[..., R]) -> Callable[..., R]:
    """*make*, called once for each of its arguments however many threads ask at first."""
    kept = cache(make)
    _forgets.append(kept.cache_clear)

    @wraps(make)
    def get(*arguments: Hashable) -> R:
        with _opening:
            return kept(*arguments)

    return get


@once
def settings() -> Settings:
    """The configuration of this process; raises ConfigError with every problem."""
    found = _given[0] if _given else configuration.load()
    if found.fail_point:
        failpoint.arm(found.fail_point)
    observe.configure(found.workers.log_format, found.workers.log_level)
    return found


def configure(given: Settings) -> None:
    """Use *given* for this process instead of what ``settings`` would find."""
    forget()
    _given.append(given)
    settings()


def forget() -> None:
    """Open everything anew at its next use, from the configuration as it is then."""
    _given.clear()
    for each in _forgets:
        each()


@once
def client() -> Client:
    """The broker; raises ConfigError where none is configured."""
    found = settings()
    ca_file = str(found.broker.ca_file) if found.broker.ca_file else None
    login = Login(found.broker_url)
    return broker.connect(found.broker_url(), ca_file=ca_file, login=login)


def demand_broker() -> None:
    """Raise, with one plain line, unless the broker answers and will do."""
    broker.demand(client(), noeviction=settings().broker.require_noeviction)


@contextmanager
def answering() -> Iterator[None]:
    """Raise Unreachable where the broker stops to answer within the block."""
    try:
        yield
    except redis.RedisError as error:
        raise broker.unreachable(client(), error) from error


@once
def fitness() -> Fitness:
    """Whether this host can do the work that its workers take."""
    return Fitness(socket.gethostname(), SYSTEM_CLOCK)


def look_at_fitness() -> None:
    """Learn which of this host's own breakers have closed; raises RedisError.

    One closes without a success here when a second host fails alike: it is nobody's own fault.
    """
    if fitness().why():
        opened = ledger(next(iter(settings().sources))).breakers.every()
        fitness().recovered([each.name for each in opened])


@once
def ledger(source: str) -> Ledger:
    """The ledger of *source*, known or not."""
    found = settings()
    given = found.sources.get(source)
    sinks = given.sinks if given else None
    return Ledger(client(), source, found.line, found.broker.namespace, sinks)


def known(source: str) -> str:
    """*source*, if the configuration has it; raises ConfigError with those it has."""
    names = settings().sources
    if source not in names:
        there = ", ".join(names) or "none"
        raise ConfigError([f"there is no source {source!r}; configured: {there}"])
    return source


@once
def workers() -> Workers:
    """Who is at work; the processes of a fleet belong to no source."""
    found = settings()
    return Workers(Store(client(), "", found.line, found.broker.namespace))


def roll() -> Roll:
    """Who is at work, and what is the matter with the broker, if anything is."""
    found = workers().roll()
    return msgspec.structs.replace(found, impaired=broker.trouble(client()))
