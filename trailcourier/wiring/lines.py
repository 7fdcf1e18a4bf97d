"""The lines of this process: the queue, reader and sinks of each source, open."""

from collections.abc import Callable
from typing import Any, NoReturn

import boto3

from trailcourier import aws, deadletters, filters, observe, wiring
from trailcourier.deadletters import DeadLetters
from trailcourier.errors import ConfigError, Fault
from trailcourier.line import Keep, Line
from trailcourier.line.process import Process
from trailcourier.models import ObjectRef
from trailcourier.objects import Reach, Reader, Readers
from trailcourier.records import Limits
from trailcourier.settings import Source
from trailcourier.sinks import Outlet, outlet
from trailcourier.sqs import Queue

MIB = 1024 * 1024


@wiring.once
def process() -> Process:
    """What all forwards of this process share."""
    numbers = wiring.settings().line
    return Process(
        memory=numbers.memory_mib * MIB,
        claim=numbers.claim,
        stall=numbers.claim_stall,
        fitness=wiring.fitness(),
    )


@wiring.once
def sink(name: str) -> Outlet:
    """The sink called *name*, open; raises ConfigError with those there are."""
    found = wiring.settings()
    there = found.sinks
    if name not in there:
        raise ConfigError([f"there is no sink {name!r}; configured: {', '.join(there) or 'none'}"])
    return outlet(name, there[name], found.egress)


@wiring.once
def queue(source: str) -> Queue:
    """The queue of *source*, which the configuration has."""
    given = wiring.settings().sources[source]
    return Queue(
        _session(source),
        given.queue,
        egress=wiring.settings().egress,
        fips=given.fips,
        dualstack=given.dualstack,
    )


def dead_letters(source: str, named: str = "") -> DeadLetters | None:
    """The dead-letter queue of *source*, or the one whose URL is *named*; None without any."""
    address = wiring.settings().sources[source].queue
    return deadletters.find(queue(source), address, named)


@wiring.once
def line(source: str) -> Line:
    """The line of *source*; raises Fault ``unknown-source`` where the configuration has none."""
    given = wiring.settings().sources.get(source)
    if given is None:
        raise Fault("unknown-source", f"the configuration of this process has no source {source!r}")
    return _line(source, given)


def carrying(source: str) -> Line:
    """The line of *source* for a forward; one that parks every object where it cannot be opened.

    Another worker may have what is missing here, or this one get it.
    """
    if source not in wiring.settings().sources:
        return _parking(source, "unknown-source", "this worker's configuration has no such source")
    try:
        return line(source)
    except ConfigError as error:
        return _parking(source, "worker-config", str(error))


@wiring.once
def _session(source: str, buckets: str = "") -> boto3.Session:
    """The session of *source*, or the one it has for the *buckets* of a glob."""
    given, egress = wiring.settings().sources[source], wiring.settings().egress
    as_whom = given.bucket_credentials[buckets] if buckets else given.credentials
    return aws.session(
        as_whom,
        source=source,
        sts_region=given.queue.region,
        egress=egress,
        fips=given.fips,
        dualstack=given.dualstack,
    )


def _line(name: str, source: Source) -> Line:
    found = wiring.settings()
    limits = Limits(
        compressed=source.max_compressed_mib * MIB,
        inflated=source.max_inflated_mib * MIB,
        record=source.max_record_mib * MIB,
        records=source.max_records,
    )
    return Line(
        source=name,
        queue=queue(name),
        ledger=wiring.ledger(name),
        reader=_reader(name, source),
        outlets=tuple(sink(each) for each in source.sinks),
        keep=_keep(source),
        process=process(),
        numbers=found.line,
        limits=limits,
        buckets=source.buckets,
        unknown_key=source.unknown_key,
        keys=source.keys,
    )


def _reader(name: str, source: Source) -> Reader | Readers:
    reach = Reach(
        home=source.queue.region,
        egress=wiring.settings().egress,
        bucket_region=source.bucket_region,
        strict_region=source.strict_region,
        fips=source.fips,
        dualstack=source.dualstack,
        owner=source.expected_bucket_owner,
    )
    largest = source.max_compressed_mib * MIB
    noticed = _noticed(name)

    def reader(buckets: str = "") -> Reader:
        session, own = _session(name, buckets), bool(buckets)
        return Reader(session, reach, max_compressed=largest, noticed=noticed, own=own)

    own = {glob: reader(glob) for glob in source.bucket_credentials}
    return Readers(reader(), own, source.own_credentials) if own else reader()


def _keep(source: Source) -> Keep:
    return filters.everything if source.unfiltered else filters.compile_rules(source.filter)


def _noticed(source: str) -> Callable[[str, dict[str, str]], None]:
    def tell(event: str, fields: dict[str, str]) -> None:
        observe.fact(event, source=source, **fields)
        wiring.ledger(source).sums.count({event.replace("_", "-"): 1})

    return tell


class _Nowhere:
    """Stands in for the queue and the bucket of a source that this process cannot open."""

    def __init__(self, reason: str, why: str) -> None:
        self._fault = reason, why

    def open(self, ref: ObjectRef) -> NoReturn:
        reason, why = self._fault
        raise Fault(reason, f"{ref}: {why}")

    def __getattr__(self, name: str) -> Any:
        reason, why = self._fault
        raise Fault(reason, f"{name}: {why}")


@wiring.once
def _parking(source: str, reason: str, why: str) -> Line:
    nowhere: Any = _Nowhere(reason, why)
    return Line(
        source=source,
        queue=nowhere,
        reader=nowhere,
        ledger=wiring.ledger(source),
        outlets=(),
        keep=filters.everything,
        process=process(),
        numbers=wiring.settings().line,
    )
