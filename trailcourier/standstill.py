"""What does not move: who is missing in a fleet, and which step of a line leaves no trace.

Judged by the ledger's clock alone and by nothing a process says of its own; no display may say
"well" while this finds anything.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trailcourier.ledger.traces import LineStep, StepTimes
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, SLACK, FleetProcess, Roll
from trailcourier.models import Numbers
from trailcourier.printable import age, printable

Kind = Literal[
    "broker",
    "no-control-worker",
    "no-object-worker",
    "no-tick",
    "no-poll",
    "no-tend",
    "no-settle",
    "two-configurations",
]

FLEETS = frozenset({"no-control-worker", "no-object-worker", "two-configurations"})
"""The kinds that are of the whole fleet, whatever the source."""

AHEAD = 5.0  # seconds; a clock that is further off is named
TICK = 30  # seconds; a tick is sent every second
STILL = 45  # seconds; a poll notes each receive, a tend is done every other second
SPARE = 15  # seconds beyond what a step takes by its settings
CONFIGURED = 3  # processes of one configuration that are named
LOST: dict[LineStep, tuple[Kind, str]] = {
    "poll": ("no-poll", "nothing is received"),
    "tend": ("no-tend", "leases end, and lost work is not taken up again"),
    "settle": ("no-settle", "what is delivered stays in the queue"),
}
STARTS = {
    CONTROL: "`celery -A tasks worker -Q control`",
    OBJECTS: "`celery -A tasks worker -Q objects`",
    BEAT: "`celery -A beat beat`",
}


class Problem(msgspec.Struct, frozen=True):
    """One thing for which records do not move, or not all of them."""

    kind: Annotated[Kind, Meta(description="what it is; see operations.md")]
    text: Annotated[str, Meta(description="since when, whose, and what to do")]


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the fleet, as `status --json` tells it."""

    name: Annotated[str, Meta(description="its name and process id")]
    host: Annotated[str, Meta(description="where it runs")]
    roles: Annotated[Sequence[str], Meta(description="of `control`, `objects` and `beat`")]
    version: Annotated[str, Meta(description="of Trailcourier")]
    pid: Annotated[int, Meta(description="its process id there")]
    config: Annotated[str, Meta(description="digest of its configuration, without secrets")]
    threads: Annotated[int, Meta(description="objects it carries at once")]
    alive: Annotated[bool, Meta(description="whether it was heard of lately")]
    heard_seconds: Annotated[float, Meta(description="since it was last heard of")]
    clock_ahead_seconds: Annotated[
        float | None, Meta(description="its clock ahead of the broker's; null before it is known")
    ]


def processes(roll: Roll) -> list[ProcessStatus]:
    """The processes of *roll*, those that are gone until ten minutes later."""
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


def of_fleet(roll: Roll) -> Iterator[Problem]:
    """Yield what is wrong with the fleet, whatever the source."""
    if not roll.alive(CONTROL):
        what = "nothing is received, settled, or kept from coming back"
        yield Problem("no-control-worker", _nobody("control worker", CONTROL, roll, what))
    if not roll.alive(OBJECTS):
        yield Problem(
            "no-object-worker", _nobody("object worker", OBJECTS, roll, "nothing is received")
        )
    yield from _configurations(roll)


def of_source(roll: Roll, times: StepTimes, numbers: Numbers) -> Iterator[Problem]:
    """Yield which steps of one source's line stand still; what only follows is not said."""
    if still(times, "tick", numbers):
        yield Problem("no-tick", _no_tick(roll, times))
    elif roll.alive(CONTROL):
        for step, (kind, what) in LOST.items():
            if still(times, step, numbers):
                yield Problem(kind, _no_step(roll, times, step, what))


def still(times: StepTimes, step: LineStep, numbers: Numbers) -> bool:
    """Whether *step* left no trace for longer than it ever takes.

    A trace of the future is of before the broker's clock was set back, and proves nothing.
    """
    at = times.last.get(step)
    return at is None or not -SLACK * 1000 <= times.now - at <= bound(step, numbers) * 1000


def bound(step: LineStep, numbers: Numbers) -> float:
    """For how many seconds *step* may leave no trace."""
    match step:
        case "tick":
            return TICK
        case "poll":
            return max(STILL, numbers.poll + numbers.receive_wait + SPARE)
        case _:
            return max(STILL, 2 * numbers.tend + SPARE)


def clocks(roll: Roll) -> Iterator[str]:
    """Say of each live process whose clock is off, by how much."""
    for each in roll.seen:
        ahead = each.presence.ahead
        if each.alive and ahead is not None and abs(ahead) >= AHEAD:
            way = "ahead of" if ahead > 0 else "behind"
            yield (
                f"{_who(each)}: its clock is {abs(ahead):.0f} s {way} the broker's. Nothing is "
                "decided by it, but its log and its signatures to AWS are off: set it by NTP."
            )


def _configurations(roll: Roll) -> Iterator[Problem]:
    found: dict[str, list[FleetProcess]] = {}
    for each in roll.seen:
        if each.alive and each.presence.config:
            found.setdefault(each.presence.config, []).append(each)
    if len(found) < 2:
        return
    count = "Two" if len(found) == 2 else f"{len(found)}"
    told = "; ".join(f"{name} on {_named(those)}" for name, those in sorted(found.items()))
    yield Problem(
        "two-configurations",
        f"{count} configurations in this fleet: {told}. Give every host the same sources, sinks, "
        "[line] and namespace, and restart those that have the older one.",
    )


def _named(those: Sequence[FleetProcess]) -> str:
    more = len(those) - CONFIGURED
    names = ", ".join(_who(each) for each in those[:CONFIGURED])
    return f"{names} and {more} more" if more > 0 else names


def _who(each: FleetProcess) -> str:
    return printable(f"{each.name} on {each.presence.host or 'a host without a name'}")


def _nobody(what: str, role: str, roll: Roll, lost: str) -> str:
    return f"No {what}{_since(roll.last.get(role), roll.now)}: {lost}. {_start(role)}"


def _no_tick(roll: Roll, times: StepTimes) -> str:
    since = _since(times.last.get("tick"), times.now)
    if clock := roll.alive(BEAT):
        whose = f"{_named(clock)} is alive and sends none for this source: two configurations?"
    else:
        gone = _since(roll.last.get(BEAT), roll.now)
        whose = f"No clock{gone}: it ended, stands still, or uses another broker or namespace."
    return f"No tick{since}: nothing is polled. {whose} {_start(BEAT)}"


def _no_step(roll: Roll, times: StepTimes, step: LineStep, what: str) -> str:
    since = _since(times.last.get(step), times.now)
    named = _named(roll.alive(CONTROL))
    return (
        f"No {step}{since}, though ticks come: {what}. The log of {named} says why (`task_failed`, "
        "`queue_failed`, `bug`); restart what says nothing."
    )


def _start(role: str) -> str:
    return f"Start one: {STARTS[role]}, or `trailcourier run` on a single host."


def _since(at: int | None, now: int) -> str:
    """Since *at*, both in milliseconds of the ledger's clock; empty for never."""
    if at is None:
        return ""
    if at > now + SLACK * 1000:
        return " since the broker's clock was set back"
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f" since {moment:%Y-%m-%d %H:%M:%SZ} ({age((now - at) / 1000)})"
