"""Opens the lines of this process: the queue, reader and sinks of each source."""

from collections.abc import Callable
from typing import Any, NoReturn

import boto3

from trailcourier import filters, wiring
from trailcourier.aws import dead_letters, sessions
from trailcourier.aws.dead_letters import DeadLetters
from trailcourier.aws.network import Network
from trailcourier.aws.sqs import Queue
from trailcourier.errors import ConfigError, Fault
from trailcourier.line import Line
from trailcourier.line.object_rules import ObjectRules
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.models import ObjectRef
from trailcourier.objects import BucketAccess, Notify, Reader, Readers
from trailcourier.objects.reader import ignore_event
from trailcourier.observability import log
from trailcourier.reason_names import ReasonName
from trailcourier.settings import Source
from trailcourier.sinks import ConfiguredSink, open_sink

MIB = 1024 * 1024


@wiring.once
def process() -> ProcessLimits:
    """Return the limits that all forwards of this process share."""
    numbers = wiring.settings().numbers
    return ProcessLimits(
        memory=numbers.memory_mib * MIB,
        claim=numbers.claim,
        stall=numbers.claim_stall,
        fitness=wiring.fitness(),
        stopping=wiring.stopping,
    )


@wiring.once
def sink(name: str) -> ConfiguredSink:
    """Open the sink *name*; raises ConfigError, which names the sinks, for an unknown one."""
    found = wiring.settings()
    there = found.sinks
    if name not in there:
        raise ConfigError([f"there is no sink {name!r}; configured: {', '.join(there) or 'none'}"])
    return open_sink(name, there[name], found.network)


@wiring.once
def queue(source: str) -> Queue:
    """Open the queue of *source*, which the configuration has."""
    given = wiring.settings().sources[source]
    return Queue(_session(source), given.queue, network=_network(given))


def open_dead_letters(source: str, named: str = "") -> DeadLetters | None:
    """Open the dead-letter queue of *source*, or that with the URL *named*; None without one."""
    address = wiring.settings().sources[source].queue
    return dead_letters.find(queue(source), address, named)


@wiring.once
def line(source: str) -> Line:
    """Open the line of *source*; raises Fault ``unknown-source`` if it is not configured."""
    given = wiring.settings().sources.get(source)
    if given is None:
        raise Fault("unknown-source", f"the configuration of this process has no source {source!r}")
    return _line(source, given)


def for_forward(source: str) -> Line:
    """Open the line of *source* for a forward; if that fails, one that parks every object.

    Parking is right because another worker may have what is missing here, or an operator may add
    it.
    """
    if source not in wiring.settings().sources:
        return _parking(source, "unknown-source", "this worker's configuration has no such source")
    try:
        return line(source)
    except ConfigError as error:
        return _parking(source, "worker-config", str(error))


@wiring.once
def _session(source: str, buckets: str = "") -> boto3.Session:
    """Return the AWS session of *source*, or its session for the glob *buckets*."""
    given = wiring.settings().sources[source]
    credentials = given.bucket_credentials[buckets] if buckets else given.credentials
    return sessions.make_session(
        credentials,
        source=source,
        sts_region=given.queue.region,
        network=_network(given),
    )


def _network(source: Source) -> Network:
    """How *source* connects to AWS."""
    return wiring.settings().network.with_hosts(fips=source.fips, dualstack=source.dualstack)


def _line(name: str, source: Source) -> Line:
    found = wiring.settings()
    return Line(
        source=name,
        queue=queue(name),
        ledger=wiring.ledger(name),
        reader=_reader(name, source, _event_logger(name)),
        configured_sinks=tuple(sink(each) for each in source.sinks),
        find_dropping_rules=source.compile_filter(),
        process=process(),
        numbers=found.numbers,
        log_limits=source.limits,
        rules=ObjectRules(buckets=source.buckets, globs=source.keys, unknown=source.unknown_key),
    )


def open_observer(source: str) -> Reader | Readers:
    """Open a reader of *source*, which the configuration has, that writes nothing to the ledger."""
    return _reader(source, wiring.settings().sources[source], ignore_event)


def _reader(name: str, source: Source, noticed: Notify) -> Reader | Readers:
    access = BucketAccess(
        home=source.queue.region,
        network=_network(source),
        bucket_region=source.bucket_region,
        strict_region=source.strict_region,
        owner=source.expected_bucket_owner,
    )
    largest = source.max_compressed_mib * MIB

    def reader(buckets: str = "") -> Reader:
        session, own = _session(name, buckets), bool(buckets)
        return Reader(
            session, access, max_compressed=largest, notify=noticed, bucket_credentials=own
        )

    own = {glob: reader(glob) for glob in source.bucket_credentials}
    return Readers(reader(), own, source.own_credentials) if own else reader()


def _event_logger(source: str) -> Callable[[str, dict[str, str]], None]:
    def report(event: str, fields: dict[str, str]) -> None:
        log.emit(event, source=source, **fields)
        wiring.ledger(source).sums.count({event.replace("_", "-"): 1})

    return report


class _Unavailable:
    """Replaces the queue and the reader of a source that this process cannot open."""

    def __init__(self, reason: ReasonName, why: str) -> None:
        self._fault = reason, why

    def open(self, ref: ObjectRef) -> NoReturn:
        reason, why = self._fault
        raise Fault(reason, f"{ref}: {why}")

    def __getattr__(self, name: str) -> Any:
        reason, why = self._fault
        raise Fault(reason, f"{name}: {why}")


@wiring.once
def _parking(source: str, reason: ReasonName, why: str) -> Line:
    unavailable: Any = _Unavailable(reason, why)
    return Line(
        source=source,
        queue=unavailable,
        reader=unavailable,
        ledger=wiring.ledger(source),
        configured_sinks=(),
        find_dropping_rules=filters.pass_everything,
        process=process(),
        numbers=wiring.settings().numbers,
    )
