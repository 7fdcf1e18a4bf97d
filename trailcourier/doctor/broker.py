"""The broker and the ledger in it: that it will do, and what the line itself has met."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from trailcourier import impairment, standstill, status, wiring
from trailcourier.doctor import bounded, trouble
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Shared, Subject
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.ledger.workers import Roll
from trailcourier.models import ObjectRef
from trailcourier.printable import age
from trailcourier.status import Standing

PATIENCE = 4.0  # seconds for the broker
LATELY = 3600  # seconds; what the line did since then it may still do
PARKED = 5  # objects to try, where none can be listed
FULL = 0.9  # of its memory

TOLD: Entries = {
    "TC801": Entry(
        "Is the broker reached?",
        ("ok", "error"),
        "The Redis or Valkey of `broker.url`. `trailcourier run` brings one of its own where none "
        "is configured; a fleet needs one that all hosts reach.",
    ),
    "TC802": Entry(
        "Will it do?",
        ("ok", "warning", "error"),
        "One server: no cluster, no Sentinel, no read-only replica; and `maxmemory-policy "
        "noeviction`, or it may drop what is not yet delivered. It is a warning where "
        "`broker.require_noeviction` is off.",
    ),
    "TC803": Entry(
        "Does it keep its data?",
        ("ok", "warning", "error"),
        "Losing the broker's data loses no record, but what was in flight arrives twice, and the "
        "memory of what was delivered is gone. Turn on the append-only file. An error where it "
        "cannot write to its disk: it then refuses to be written to.",
    ),
    "TC804": Entry(
        "Has it memory left?",
        ("ok", "warning", "error"),
        "A full Redis with `noeviction` refuses every write, and nothing is carried. Give it more "
        "`maxmemory`; a delivered object takes some 20 bytes for 15 days.",
    ),
    "TC805": Entry(
        "Do the clocks agree?",
        ("ok", "warning"),
        "The clock of this machine and those of all live processes, compared with the broker's, "
        "from 5 s on. Nothing is decided by them, but logs are hard to read, and AWS takes no "
        "signature that is five minutes off. Let NTP set them all.",
    ),
    "TC806": Entry(
        "What does the line itself say?",
        ("ok", "unproved", "warning"),
        "Breakers that are open, with the words of what opened them: what the line met, whatever "
        "else was found here.",
    ),
}


class Line(msgspec.Struct, frozen=True):
    """How the line of a source stands, everything it has counted, and what waits to be tried."""

    standing: Standing
    sums: Mapping[str, int]
    roll: Roll
    parked: Sequence[ObjectRef] = ()


def line(subject: Subject) -> Line | None:
    """Return what the ledger knows of the source; None without a broker that answers."""
    known = _line(subject)
    return known if isinstance(known, Line) else None


def _line(subject: Subject) -> Line | str | None:
    """Return what the ledger knows; else why it does not say, where the broker answers at all."""
    return subject.known.get("line", lambda: _asked_ledger(subject))


def _asked_ledger(subject: Subject) -> Line | str | None:
    if not isinstance(_info(subject.shared), Mapping):
        return None

    def ask() -> Line:
        ledger = wiring.ledger(subject.name)
        parked = [each.ref for each in ledger.parked.waiting(PARKED)]
        roll = wiring.roll()
        return Line(status.standing(ledger, roll=roll), ledger.sums.all(), roll, parked)

    try:
        with wiring.answering():
            return bounded.within(subject.shared.left(PATIENCE), ask)
    except Unreachable as error:
        return str(error)
    except TimeoutError:
        return f"it answered a moment ago, and now not within {PATIENCE:.0f} s"


def _info(shared: Shared) -> Mapping[str, Any] | str | None:
    """Return what the broker says of itself; else why it does not, and None if there is none."""
    return shared.known.get("broker", lambda: _asked(shared))


def _asked(shared: Shared) -> Mapping[str, Any] | str | None:
    if shared.settings.broker.url is None:
        return None

    def ask() -> Mapping[str, Any]:
        with wiring.answering():
            before = time.time()
            seconds, micros = wiring.client().time()
            skew = (before + time.time()) / 2 - (seconds + micros / 1_000_000)
            return {**wiring.client().info(), "skew": skew}

    try:
        return bounded.within(shared.left(PATIENCE), ask)
    except Unreachable as error:
        return str(error)
    except ConfigError as error:
        return "; ".join(error.problems)
    except TimeoutError:
        return f"broker: no answer within {PATIENCE:.0f} s. Check host, port and firewall."


def look(subject: Subject) -> Iterator[Finding]:
    """Look whether the broker will do, and what the line says by its ledger."""
    found = _info(subject.shared)
    if found is None:
        text = "no broker is configured: `trailcourier run` brings one for this host"
        yield Finding("ok", "TC801", text)
        return
    if isinstance(found, str):
        yield Finding("error", "TC801", found, "Start it, or correct `broker.url`.")
        return
    version = found.get("valkey_version") or found.get("redis_version")
    yield Finding("ok", "TC801", f"the broker answers, version {version}")
    yield from _fit(subject.shared, found)
    yield from _impaired(found)
    yield _kept(found)
    yield from _room(found)
    yield _clock(float(found["skew"]))
    yield from _said(subject)


def _fit(shared: Shared, found: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        bounded.within(shared.left(PATIENCE), wiring.demand_broker)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("error", "TC802", problem, "docs/operations.md, The broker.")
        return
    except (Unreachable, TimeoutError) as error:
        yield Finding("error", "TC801", str(error), "See what keeps it from answering.")
        return
    policy = found.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield Finding("ok", "TC802", "one server, and noeviction")
    else:
        text = f"maxmemory-policy is {policy}: it may drop what is not yet delivered"
        yield Finding("warning", "TC802", text, "Set maxmemory-policy to noeviction.")


def _impaired(found: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield why writes are refused, where no other finding says it."""
    cause = impairment.seen(found)
    if cause in {impairment.ALONE, impairment.LOADING}:
        yield Finding("error", "TC801", f"the broker refuses writes: {cause.text}", cause.fix)


def _kept(found: Mapping[str, Any]) -> Finding:
    appends = found.get("aof_enabled") == 1
    wrong = [
        name
        for name in ("aof_last_write_status", "rdb_last_bgsave_status")
        if found.get(name, "ok") != "ok"
    ]
    if wrong:
        text = f"the broker cannot write to its disk ({', '.join(wrong)})"
        return Finding("error", "TC803", text, "Make room there; see its own log.")
    if appends:
        return Finding("ok", "TC803", "the append-only file is on")
    text = "the append-only file is off: what is in flight arrives twice if the broker is lost"
    return Finding("warning", "TC803", text, "Set appendonly yes.")


def _room(found: Mapping[str, Any]) -> Iterator[Finding]:
    most, used = int(found.get("maxmemory", 0)), int(found.get("used_memory", 0))
    if not most:
        return
    text = f"{used / most:.0%} of its memory is used"
    cause = impairment.seen(found)
    if cause is not None and cause.fix == impairment.FULL.fix:
        yield Finding("error", "TC804", f"the broker refuses writes: {cause.text}", cause.fix)
    elif used > most * FULL:
        fix = "Raise maxmemory: a full broker refuses every write."
        yield Finding("warning", "TC804", text, fix)
    else:
        yield Finding("ok", "TC804", text)


def _clock(skew: float) -> Finding:
    if abs(skew) < standstill.AHEAD:
        return Finding("ok", "TC805", "this clock agrees with the broker's")
    way = "ahead of" if skew > 0 else "behind"
    text = f"this clock is {abs(skew):.0f} s {way} the broker's"
    return Finding("warning", "TC805", text, standstill.SET_CLOCK)


def _said(subject: Subject) -> Iterator[Finding]:
    known = _line(subject)
    if not isinstance(known, Line):
        fix = "docs/security.md, The broker's user."
        yield Finding("error", "TC801", f"the ledger cannot be read: {known}", fix)
        yield trouble.behind("TC806", "TC801")
        return
    standing = known.standing
    for breaker in standing.breakers:
        text = f"{breaker.name} is open since {age(breaker.open_seconds)}: {breaker.text}"
        fix = f"docs/dispositions.md: {breaker.reason}; it closes by itself once that is mended."
        yield Finding("warning", "TC806", text, fix)
    if not standing.breakers:
        lately = standing.last_success_seconds
        since = "never" if lately is None else f"{age(lately)} ago"
        text = f"{standing.in_flight} objects in flight, {standing.parked} parked"
        yield Finding("ok", "TC806", f"{text}; last delivered {since}")
