"""The broker and the ledger in it: whether they are fit, and which breakers are open."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from trailcourier import wiring
from trailcourier.doctor import aws_findings, deadlines, wire_probe
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Shared, Subject
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.ledger import redis_faults
from trailcourier.ledger.workers import FleetRoster
from trailcourier.models import ObjectRef
from trailcourier.operations import standstill, status
from trailcourier.operations.source_status import SourceStatus
from trailcourier.text import age

PATIENCE = 4.0  # seconds for the broker
RECENT_SECONDS = 3600  # seconds; a success within it proves the permissions
PARKED = 5  # objects to try to read if the bucket cannot be listed
FULL = 0.9  # share of its memory in use

ENTRIES: Entries = {
    "TC801": CatalogueEntry(
        "Does the broker answer?",
        ("ok", "error"),
        "The Redis or Valkey of `broker.url`. Without one, `trailcourier run` starts an embedded "
        "broker; a fleet needs one that all hosts reach.",
    ),
    "TC802": CatalogueEntry(
        "Is the broker fit for Trailcourier?",
        ("ok", "warning", "error"),
        "It has to be one server (no cluster, no Sentinel, no read-only replica) with "
        "`maxmemory-policy noeviction`; with any other policy Redis may evict work that is not yet "
        "delivered. That is a warning if `broker.require_noeviction` is off.",
    ),
    "TC803": CatalogueEntry(
        "Does the broker keep its data?",
        ("ok", "warning", "error"),
        "If the broker loses its data, no record is lost, but records in flight arrive twice and "
        "the ledger forgets which objects were delivered. Turn on the append-only file. It is an "
        "error if Redis cannot write to its disk, because Redis then refuses writes.",
    ),
    "TC804": CatalogueEntry(
        "Does the broker have memory left?",
        ("ok", "warning", "error"),
        "A full Redis with `noeviction` refuses every write, and nothing is delivered. Raise "
        "`maxmemory`; a delivered object takes about 20 bytes for 15 days.",
    ),
    "TC805": CatalogueEntry(
        "Do the clocks agree?",
        ("ok", "warning"),
        "The clocks of this machine and of all live processes, compared with the broker's; a "
        "difference of 5 s or more is a warning. Trailcourier decides nothing by these clocks, but "
        "logs are hard to compare, and AWS rejects signatures that are more than five minutes "
        "off. Set all clocks by NTP.",
    ),
    "TC806": CatalogueEntry(
        "Is any breaker open?",
        ("ok", "not-checked", "warning", "error"),
        "Each open breaker of the source, with the error that opened it. The workers met that "
        "error, even if every check of doctor succeeds. It is a warning if it pauses one host "
        "alone, or if an error above is the cause.",
    ),
}


class SourceState(msgspec.Struct, frozen=True):
    """A source's state in the ledger: its status, its counters, the processes, parked objects.

    *received* is how many seconds ago the queue last answered a receive; None if it never did.
    """

    standing: SourceStatus
    sums: Mapping[str, int]
    roll: FleetRoster
    parked: Sequence[ObjectRef] = ()
    received: float | None = None


def read_source_state(subject: Subject) -> SourceState | None:
    """Return the source's state in the ledger; None if the ledger cannot be read."""
    state = _source_state(subject)
    return state if isinstance(state, SourceState) else None


def read_state_again(subject: Subject) -> SourceState | None:
    """Return the source's state as it is now; None if the ledger cannot be read."""
    state = _read_ledger(subject)
    return state if isinstance(state, SourceState) else None


def _source_state(subject: Subject) -> SourceState | str | None:
    """Return the source's state, or why the ledger cannot be read; None without a broker."""
    return subject.cache.get("line", lambda: _read_ledger(subject))


def _read_ledger(subject: Subject) -> SourceState | str | None:
    if not isinstance(_info(subject.shared), Mapping):
        return None

    def read() -> SourceState:
        ledger = wiring.ledger(subject.name)
        parked = [each.ref for each in ledger.parked.list_some(PARKED)]
        roll, times = wiring.roll(), ledger.traces.read()
        received = None if times.received is None else max(0, times.now - times.received) / 1000
        standing = status.read_status(ledger, roll=roll)
        return SourceState(standing, ledger.sums.read(), roll, parked, received)

    try:
        with wiring.answering():
            return deadlines.run_within(subject.shared.seconds_left(PATIENCE), read)
    except Unreachable as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} s, although the broker answered just before"


def _info(shared: Shared) -> Mapping[str, Any] | str | None:
    """Return Redis's INFO, or why it could not be read; None if no broker is configured.

    ``skew`` in it is the seconds by which this machine's clock is ahead of the broker's.
    """
    return shared.cache.get("broker", lambda: _read_info(shared))


def _read_info(shared: Shared) -> Mapping[str, Any] | str | None:
    if shared.settings.broker.url is None:
        return None

    def read() -> Mapping[str, Any]:
        with wiring.answering():
            before = time.time()
            seconds, micros = wiring.client().time()
            skew = (before + time.time()) / 2 - (seconds + micros / 1_000_000)
            return {**wiring.client().info(), "skew": skew}

    try:
        return deadlines.run_within(shared.seconds_left(PATIENCE), read)
    except Unreachable as error:
        return str(error)
    except ConfigError as error:
        return "; ".join(error.problems)
    except TimeoutError:
        return f"broker: no answer within {PATIENCE:.0f} s. Check host, port and firewall."


def check_broker(subject: Subject) -> Iterator[Finding]:
    """Check the broker, and the breakers of the source in its ledger."""
    info = _info(subject.shared)
    if info is None:
        text = "no broker is configured: `trailcourier run` starts one for this host"
        yield Finding("ok", "TC801", text)
        return
    if isinstance(info, str):
        yield Finding("error", "TC801", info, _unanswered_fix(subject.shared))
        return
    version = info.get("valkey_version") or info.get("redis_version")
    yield Finding("ok", "TC801", f"the broker answers, version {version}")
    yield from _check_fitness(subject.shared, info)
    yield from _check_writes(info)
    yield _check_persistence(info)
    yield from _check_memory(info)
    yield _check_clock(float(info["skew"]))
    yield from _check_breakers(subject)


def _unanswered_fix(shared: Shared) -> str:
    """Return what to do about a broker that does not answer; looks whether TLS is the cause."""
    fix = "Start the broker, or correct `broker.url`."
    try:
        url = urlsplit(shared.settings.broker_url())
        host, port = url.hostname or "localhost", url.port or 6379
        probe, way = _PROBES[url.scheme]
        found = deadlines.run_within(shared.seconds_left(PATIENCE), lambda: probe(host, port))
    except (ConfigError, ValueError, KeyError, TimeoutError):
        return fix
    return f"{host}:{port} {way} in `broker.url`." if found else fix


_PROBES: Mapping[str, tuple[Callable[[str, int], bool], str]] = {
    "redis": (wire_probe.speaks_tls, "speaks TLS: write rediss:// in place of redis://"),
    "rediss": (wire_probe.is_plain_redis, "does not speak TLS: write redis://, not rediss://,"),
}


def _check_fitness(shared: Shared, info: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        deadlines.run_within(shared.seconds_left(PATIENCE), wiring.demand_broker)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("error", "TC802", problem, "See docs/operations.md, The broker.")
        return
    except (Unreachable, TimeoutError) as error:
        fix = "The broker answered before: see its log, and the load on its host."
        yield Finding("error", "TC801", str(error) or "broker: no answer in time", fix)
        return
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield Finding("ok", "TC802", "the broker is one server with maxmemory-policy noeviction")
    else:
        text = f"maxmemory-policy is {policy}: Redis may evict work that is not yet delivered"
        yield Finding("warning", "TC802", text, "Set maxmemory-policy to noeviction in Redis.")


def _check_writes(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Check whether the broker refuses writes for a cause that no other finding reports."""
    cause = redis_faults.cause_in_info(info)
    if cause in {redis_faults.ALONE, redis_faults.LOADING}:
        yield Finding("error", "TC801", f"the broker refuses writes: {cause.text}", cause.fix)


def _check_persistence(info: Mapping[str, Any]) -> Finding:
    appends = info.get("aof_enabled") == 1
    wrong = [
        name
        for name in ("aof_last_write_status", "rdb_last_bgsave_status")
        if info.get(name, "ok") != "ok"
    ]
    if wrong:
        text = f"the broker cannot write to its disk ({', '.join(wrong)})"
        return Finding("error", "TC803", text, "Free disk space on its host; see Redis's log.")
    if appends:
        return Finding("ok", "TC803", "the broker's append-only file is on")
    text = (
        "the broker's append-only file is off: if it loses its data, records in flight arrive twice"
    )
    return Finding("warning", "TC803", text, "Set `appendonly yes` in Redis.")


def _check_memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if not most:
        return
    text = f"the broker uses {used / most:.0%} of its maxmemory"
    cause = redis_faults.cause_in_info(info)
    if cause is not None and cause.fix == redis_faults.FULL.fix:
        yield Finding("error", "TC804", f"the broker refuses writes: {cause.text}", cause.fix)
    elif used > most * FULL:
        fix = "Raise maxmemory: a full Redis refuses every write."
        yield Finding("warning", "TC804", text, fix)
    else:
        yield Finding("ok", "TC804", text)


def _check_clock(skew: float) -> Finding:
    if abs(skew) < standstill.AHEAD:
        return Finding("ok", "TC805", "this machine's clock agrees with the broker's")
    way = "ahead of" if skew > 0 else "behind"
    text = f"this machine's clock is {abs(skew):.0f} s {way} the broker's"
    return Finding("warning", "TC805", text, standstill.SET_CLOCK)


def _check_breakers(subject: Subject) -> Iterator[Finding]:
    state = _source_state(subject)
    if not isinstance(state, SourceState):
        fix = "Compare the broker user's permissions with docs/security.md, The broker's user."
        yield Finding("error", "TC801", f"the ledger cannot be read: {state}", fix)
        yield aws_findings.blocked_finding("TC806", "TC801")
        return
    standing = state.standing
    for breaker in standing.breakers:
        text = (
            f"breaker {breaker.name} has been open for {age(breaker.open_seconds)}: {breaker.text}"
        )
        fix = (
            f"Repair the cause, {breaker.reason} in docs/dispositions.md; the breaker then closes "
            "by itself."
        )
        pauses = breaker in standing.pausing and not subject.errors()
        yield Finding("error" if pauses else "warning", "TC806", text, fix)
    if not standing.breakers:
        lately = standing.last_success_seconds
        since = "never" if lately is None else f"{age(lately)} ago"
        text = f"{standing.in_flight} objects in flight, {standing.parked} parked"
        yield Finding("ok", "TC806", f"no breaker is open; {text}; last delivery {since}")
