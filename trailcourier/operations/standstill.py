"""Which roles are missing in a fleet, and which steps of a line have stalled.

A role is missing without a recent heartbeat; a step has stalled without a recent trace.  Both are
judged by the ledger's clock alone, never by a process's own.  No display may say "well" while
this module finds a problem.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trailcourier.ledger.traces import LineStep, StepTimes
from trailcourier.ledger.workers import (
    BEAT,
    CONTROL,
    OBJECTS,
    SLACK,
    FleetProcess,
    FleetRoster,
    Presence,
)
from trailcourier.models import Numbers
from trailcourier.text import age, printable

Kind = Literal[
    "broker",
    "no-control-worker",
    "no-object-worker",
    "no-tick",
    "no-poll",
    "no-forward",
    "no-settle",
    "no-maintenance",
    "two-configurations",
]

FLEETS = frozenset({"broker", "no-control-worker", "no-object-worker", "two-configurations"})
"""The kinds that concern the whole fleet, whatever the source."""

AHEAD = 5.0  # seconds; a clock that is off by this much is reported
TICK = 30  # seconds; a tick is sent every second
STILL = 45  # seconds; polls, forwards and maintenance leave a trace every few seconds
SPARE = 15  # seconds allowed beyond what a step takes by its settings
NAMED = 3  # processes named of those that are alike
LOST: dict[LineStep, tuple[Kind, str]] = {
    "poll": ("no-poll", "nothing is received"),
    "settle": ("no-settle", "delivered messages stay in the queue"),
    "maintenance": ("no-maintenance", "leases expire, and lost forwards are not dispatched again"),
}
START = {
    role: f"Start one: `{command}`, or `trailcourier run` on a single host."
    for role, command in (
        (CONTROL, "celery -A tasks worker -Q control"),
        (OBJECTS, "celery -A tasks worker -Q objects"),
        (BEAT, "celery -A beat beat"),
    )
}
RESTART = "Restart each process that logs nothing."
SAME = (
    "Give every host the same sources, sinks, [line] and namespace, and restart the processes that "
    "still have the older configuration."
)
ONE_VERSION = (
    "They work together while a fleet is upgraded host by host; finish the upgrade. Whether all "
    "have the same configuration can be compared only within one version."
)
SET_CLOCK = (
    "Trailcourier decides nothing by it, but log times are wrong, and AWS rejects a request whose "
    "signature is five minutes off: synchronise the clock with NTP."
)


class Problem(msgspec.Struct, frozen=True):
    """One reason why records, or some of them, do not move."""

    kind: Annotated[Kind, Meta(description="what it is; see operations.md")]
    text: Annotated[str, Meta(description="what has stalled, since when, and where")]
    fix: Annotated[str, Meta(description="what to do")]

    def __str__(self) -> str:
        return f"{self.text} {self.fix}"


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the fleet, as `status --json` shows it."""

    name: Annotated[str, Meta(description="its name and process id")]
    host: Annotated[str, Meta(description="where it runs")]
    roles: Annotated[Sequence[str], Meta(description="of `control`, `objects` and `beat`")]
    version: Annotated[str, Meta(description="of Trailcourier")]
    pid: Annotated[int, Meta(description="its process id there")]
    config: Annotated[str, Meta(description="digest of its configuration, without secrets")]
    threads: Annotated[int, Meta(description="objects it forwards at once")]
    alive: Annotated[bool, Meta(description="whether its heartbeat is recent")]
    heard_seconds: Annotated[float, Meta(description="since its last heartbeat")]
    clock_ahead_seconds: Annotated[
        float | None, Meta(description="its clock ahead of the broker's; null before it is known")
    ]


def list_processes(roll: FleetRoster) -> list[ProcessStatus]:
    """Return the processes of *roll*; one that ended is in it for ten more minutes."""
    return [
        ProcessStatus(
            name=each.name,
            host=each.presence.host,
            roles=each.presence.roles,
            version=each.presence.version,
            pid=each.presence.pid,
            config=each.presence.config,
            threads=each.threads,
            alive=each.alive,
            heard_seconds=max(0, roll.now - each.heard) / 1000,
            clock_ahead_seconds=each.presence.ahead,
        )
        for each in roll.seen
    ]


def fleet_problems(roll: FleetRoster) -> Iterator[Problem]:
    """Yield the problems of the whole fleet, whatever the source."""
    if roll.impaired:
        yield Problem(
            "broker", roll.impaired, "Until that is repaired, nothing else can be checked."
        )
        return
    if not roll.alive(CONTROL):
        text = f"No control worker{_last(roll, CONTROL)}: nothing is received or settled."
        yield Problem("no-control-worker", text, START[CONTROL])
    if not roll.alive(OBJECTS):
        text = f"No object worker{_last(roll, OBJECTS)}: nothing is received."
        yield Problem("no-object-worker", text, START[OBJECTS])
    yield from _configurations(roll)


def source_problems(roll: FleetRoster, times: StepTimes, numbers: Numbers) -> Iterator[Problem]:
    """Yield which steps of one source's line have stalled, without those that only follow."""
    if roll.impaired:
        return
    if is_stalled(times, "tick", numbers):
        yield _no_tick(roll, times)
    elif control := roll.alive(CONTROL):
        for step, (kind, lost) in LOST.items():
            if is_stalled(times, step, numbers):
                text = (
                    f"No {step}{since(times.last.get(step), times.now)}, although beat sends ticks"
                )
                yield Problem(kind, f"{text}: {lost}.", f"{_see_log(control)} {RESTART}")
    if (
        (objects := roll.alive(OBJECTS))
        and _forward_is_due(times)
        and is_stalled(times, "forward", numbers)
    ):
        moment = since(times.last.get("forward"), times.now)
        text = f"No worker began or ended a forward{moment}, although objects are in flight."
        yield Problem("no-forward", text, f"{_see_log(objects)} {RESTART}")


def _forward_is_due(times: StepTimes) -> bool:
    """Whether an object has been in flight for longer than healthy workers let it wait."""
    return times.waiting is not None and times.now - times.waiting > STILL * 1000


def is_stalled(times: StepTimes, step: LineStep, numbers: Numbers) -> bool:
    """Whether *step* left no trace for longer than it may.

    A trace from the future was left before the broker's clock was set back, and proves nothing.
    """
    at = times.last.get(step)
    return (
        at is None or not -SLACK * 1000 <= times.now - at <= allowed_silence(step, numbers) * 1000
    )


def allowed_silence(step: LineStep, numbers: Numbers) -> float:
    """Return for how many seconds *step* may leave no trace."""
    match step:
        case "tick":
            return TICK
        case "forward":
            return STILL
        case "poll":
            return max(STILL, numbers.poll + numbers.receive_wait + SPARE)
        case _:
            return max(STILL, 2 * numbers.maintenance + SPARE)


def clock_warnings(roll: FleetRoster) -> Iterator[str]:
    """Yield a line for each live process whose clock is off, with by how much."""
    for each in roll.seen:
        ahead = each.presence.ahead
        if each.alive and ahead is not None and abs(ahead) >= AHEAD:
            way = "ahead of" if ahead > 0 else "behind"
            yield f"{_who(each)}: its clock is {abs(ahead):.0f} s {way} the broker's"


def fleet_advice(roll: FleetRoster) -> Iterator[str]:
    """Yield what an operator should know about the fleet although it stalls nothing."""
    for each in version_warnings(roll):
        yield f"{each}. {ONE_VERSION}"
    for each in clock_warnings(roll):
        yield f"{each}. {SET_CLOCK}"


def version_warnings(roll: FleetRoster) -> Iterator[str]:
    """Yield one line naming the versions at work if there are several, which is not an error."""
    found = _alive_by(roll, lambda presence: presence.version)
    if len(found) > 1:
        yield f"{_count(found)} versions in this fleet: {_who_has(found)}"


def _configurations(roll: FleetRoster) -> Iterator[Problem]:
    """Compare configurations within a version: versions may differ in the settings digested."""
    for version in _alive_by(roll, lambda presence: presence.version):
        found = _alive_by(roll, lambda presence: presence.config, version)
        if len(found) > 1:
            text = f"{_count(found)} configurations in this fleet: {_who_has(found)}."
            yield Problem("two-configurations", text, SAME)


def _alive_by(
    roll: FleetRoster, attribute: Callable[[Presence], str], version: str | None = None
) -> dict[str, list[FleetProcess]]:
    """Group the live processes, or only those of *version*, by an attribute they report."""
    found: dict[str, list[FleetProcess]] = {}
    for each in roll.seen:
        value = attribute(each.presence)
        if each.alive and value and version in {None, each.presence.version}:
            found.setdefault(value, []).append(each)
    return found


def _count(found: Mapping[str, object]) -> str:
    return "Two" if len(found) == 2 else f"{len(found)}"


def _who_has(found: Mapping[str, Sequence[FleetProcess]]) -> str:
    return "; ".join(
        f"{printable(name)} on {_named(those)}" for name, those in sorted(found.items())
    )


def _no_tick(roll: FleetRoster, times: StepTimes) -> Problem:
    moment = since(times.last.get("tick"), times.now)
    if beat := roll.alive(BEAT):
        why, fix = f"{_named(beat)} is alive and sends none for this source.", SAME
    else:
        gone = _last(roll, BEAT)
        why = f"No beat{gone}: it ended, hangs, or uses another broker or namespace."
        fix = START[BEAT]
    return Problem("no-tick", f"No tick{moment}: nothing is polled. {why}", fix)


def _named(those: Sequence[FleetProcess]) -> str:
    more = len(those) - NAMED
    names = ", ".join(_who(each) for each in those[:NAMED])
    return f"{names} and {more} more" if more > 0 else names


def _who(each: FleetProcess) -> str:
    return printable(f"{each.name} on {each.presence.host or 'an unnamed host'}")


def _see_log(those: Sequence[FleetProcess]) -> str:
    return f"See the log of {_named(those)} (`task_failed`, `queue_failed`, `bug`)."


def _last(roll: FleetRoster, role: str) -> str:
    return since(roll.last.get(role), roll.now)


def since(at: int | None, now: int) -> str:
    """Return `` since TIME (AGE)`` for *at*, or nothing for None; both in the ledger's ms."""
    if at is None:
        return ""
    if at > now + SLACK * 1000:
        return " since the broker's clock was set back"
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f" since {moment:%Y-%m-%d %H:%M:%SZ} ({age((now - at) / 1000)})"
