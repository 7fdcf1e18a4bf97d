"""The configuration made into open things, once per process; the only place that composes them.

Everything here is opened at first use and shared by all threads of the process; a worker that
forks after that would share connections, so workers use threads.
"""

import threading
from collections.abc import Callable, Hashable
from functools import cache, wraps
from typing import Any, NoReturn, TypeVar

import redis

from trailcourier import aws, broker, filters, observe
from trailcourier import settings as configuration
from trailcourier.errors import ConfigError, Fault
from trailcourier.ledger import Ledger
from trailcourier.line import Keep, Line, failpoint
from trailcourier.line.process import Process
from trailcourier.models import ObjectRef
from trailcourier.objects import Reach, Reader
from trailcourier.records import Limits
from trailcourier.settings import Settings, Source
from trailcourier.sinks import Outlet, outlet
from trailcourier.sqs import Queue

R = TypeVar("R")

MIB = 1024 * 1024
CLAIM_RENEWALS = 3  # in the life of one claim

_opening = threading.RLock()


def _once(make: Callable[..., R]) -> Callable[..., R]:
    """*make*, called once for each of its arguments however many threads ask at first."""
    kept = cache(make)

    @wraps(make)
    def get(*arguments: Hashable) -> R:
        with _opening:
            return kept(*arguments)

    return get


@_once
def settings() -> Settings:
    """The configuration of this process; raises ConfigError with every problem."""
    return _armed(configuration.load())


def configure(given: Settings) -> None:
    """Use *given* for this process instead of what ``settings`` would find."""
    global settings  # noqa: PLW0603  the one composition of a process
    chosen = _armed(given)
    settings = _once(lambda: chosen)


def _armed(given: Settings) -> Settings:
    if given.fail_point:
        failpoint.arm(given.fail_point)
    observe.configure(given.workers.log_format, given.workers.log_level)
    return given


@_once
def client() -> redis.Redis:
    """The broker; raises ConfigError where none is configured."""
    found = settings()
    ca_file = str(found.broker.ca_file) if found.broker.ca_file else None
    return broker.connect(found.broker_url(), ca_file=ca_file)


def demand_broker() -> None:
    """Raise, with one plain line, unless the broker answers and will do."""
    broker.demand(client(), noeviction=settings().broker.require_noeviction)


@_once
def ledger(source: str) -> Ledger:
    """The ledger of *source*, known or not."""
    found = settings()
    return Ledger(client(), source, found.line, found.broker.namespace)


@_once
def process() -> Process:
    """What all forwards of this process share."""
    numbers = settings().line
    return Process(
        memory=numbers.memory_mib * MIB,
        renew_every=numbers.claim / CLAIM_RENEWALS,
        stall=numbers.claim_stall,
    )


@_once
def sink(name: str) -> Outlet:
    """The sink called *name*, open."""
    return outlet(name, settings().sinks[name])


def known(source: str) -> str:
    """*source*, if the configuration has it; raises ConfigError with those it has."""
    names = settings().sources
    if source not in names:
        there = ", ".join(names) or "none"
        raise ConfigError([f"there is no source {source!r}; configured: {there}"])
    return source


@_once
def line(source: str) -> Line:
    """The line of *source*; raises Fault ``unknown-source`` where the configuration has none."""
    given = settings().sources.get(source)
    if given is None:
        raise Fault("unknown-source", f"the configuration of this process has no source {source!r}")
    return _line(source, given)


def carrying(source: str) -> Line:
    """The line of *source* for a forward; one that parks every object where it is unknown here."""
    return line(source) if source in settings().sources else _parking(source)


def _line(name: str, source: Source) -> Line:
    found, address = settings(), source.queue
    observe.fact("filter_in_force", source=name, filter=source.drops)
    session = aws.session(
        source.credentials, source=name, sts_region=address.region, egress=found.egress
    )
    reach = Reach(
        home=address.region,
        egress=found.egress,
        bucket_region=source.bucket_region,
        strict_region=source.strict_region,
        fips=source.fips,
        dualstack=source.dualstack,
        owner=source.expected_bucket_owner,
    )
    limits = Limits(
        compressed=source.max_compressed_mib * MIB,
        inflated=source.max_inflated_mib * MIB,
        record=source.max_record_mib * MIB,
    )
    return Line(
        source=name,
        queue=Queue(
            session, address, egress=found.egress, fips=source.fips, dualstack=source.dualstack
        ),
        ledger=ledger(name),
        reader=Reader(session, reach, max_compressed=limits.compressed, noticed=_noticed(name)),
        outlets=tuple(sink(each) for each in source.sinks),
        keep=_keep(source),
        process=process(),
        numbers=found.line,
        limits=limits,
        buckets=source.buckets,
        unknown_key=source.unknown_key,
        keys=source.keys,
    )


def _keep(source: Source) -> Keep:
    return filters.everything if source.unfiltered else filters.compile_rules(source.filter)


def _noticed(source: str) -> Callable[[str, dict[str, str]], None]:
    def tell(event: str, fields: dict[str, str]) -> None:
        observe.fact(event, source=source, **fields)
        ledger(source).sums.count({event.replace("_", "-"): 1})

    return tell


class _Nowhere:
    """Stands in for the queue and the bucket of a source that this process does not know."""

    def open(self, ref: ObjectRef) -> NoReturn:
        text = f"{ref}: the configuration of this worker does not have its source"
        raise Fault("unknown-source", text)

    def __getattr__(self, name: str) -> Any:
        raise Fault("unknown-source", f"asked to {name} for a source this worker does not know")


@_once
def _parking(source: str) -> Line:
    nowhere: Any = _Nowhere()
    return Line(
        source=source,
        queue=nowhere,
        reader=nowhere,
        ledger=ledger(source),
        outlets=(),
        keep=filters.everything,
        process=process(),
        numbers=settings().line,
    )


def heartbeat(worker: str, threads: int) -> None:
    """Tell the ledger that *worker* is alive and carries *threads* objects at once; 0: it leaves.

    Workers belong to no source, so any source's ledger will do.
    """
    flow = ledger(next(iter(settings().sources))).flow
    if threads:
        flow.heartbeat(worker, threads)
    else:
        flow.gone(worker)
