"""What does not move: who is missing in a fleet, and which step of a line leaves no trace.

Judged by the ledger's clock alone and by nothing a process says of its own; no display may say
"well" while this finds anything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trailcourier.ledger.traces import LineStep, StepTimes
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, SLACK, FleetProcess, Presence, Roll
from trailcourier.models import Numbers
from trailcourier.printable import age, printable

Kind = Literal[
    "broker",
    "no-control-worker",
    "no-object-worker",
    "no-tick",
    "no-poll",
    "no-forward",
    "no-settle",
    "no-tend",
    "two-configurations",
]

FLEETS = frozenset({"broker", "no-control-worker", "no-object-worker", "two-configurations"})
"""The kinds that are of the whole fleet, whatever the source."""

AHEAD = 5.0  # seconds; a clock that is further off is named
TICK = 30  # seconds; a tick is sent every second
STILL = 45  # seconds; polls, forwards and tends leave their traces every few seconds
SPARE = 15  # seconds beyond what a step takes by its settings
CONFIGURED = 3  # processes of one configuration that are named
LOST: dict[LineStep, tuple[Kind, str]] = {
    "poll": ("no-poll", "nothing is received"),
    "settle": ("no-settle", "what is delivered stays in the queue"),
    "tend": ("no-tend", "leases end, and lost work is not taken up again"),
}
START = {
    role: f"Start one: `{command}`, or `trailcourier run` on a single host."
    for role, command in (
        (CONTROL, "celery -A tasks worker -Q control"),
        (OBJECTS, "celery -A tasks worker -Q objects"),
        (BEAT, "celery -A beat beat"),
    )
}
RESTART = "Restart what says nothing."
SAME = (
    "Give every host the same sources, sinks, [line] and namespace, and restart the processes that "
    "have the older ones."
)
ONE_VERSION = (
    "They understand each other while a fleet is upgraded host by host; whether all have the same "
    "configuration shows once all have the same version."
)
SET_CLOCK = (
    "Nothing is decided by it, but logs are hard to read, and AWS takes no signature that is five "
    "minutes off: set it by NTP."
)


class Problem(msgspec.Struct, frozen=True):
    """One thing for which records do not move, or not all of them."""

    kind: Annotated[Kind, Meta(description="what it is; see operations.md")]
    text: Annotated[str, Meta(description="what stands still, since when, and where")]
    fix: Annotated[str, Meta(description="what to do")]

    def __str__(self) -> str:
        return f"{self.text} {self.fix}"


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
    if roll.impaired:
        yield Problem("broker", roll.impaired, "Nothing else is judged until then.")
        return
    if not roll.alive(CONTROL):
        text = f"No control worker{_last(roll, CONTROL)}: nothing is received or settled."
        yield Problem("no-control-worker", text, START[CONTROL])
    if not roll.alive(OBJECTS):
        text = f"No object worker{_last(roll, OBJECTS)}: nothing is received."
        yield Problem("no-object-worker", text, START[OBJECTS])
    yield from _configurations(roll)


def of_source(roll: Roll, times: StepTimes, numbers: Numbers) -> Iterator[Problem]:
    """Yield which steps of one source's line stand still; what only follows is not said."""
    if roll.impaired:
        return
    if still(times, "tick", numbers):
        yield _no_tick(roll, times)
    elif control := roll.alive(CONTROL):
        for step, (kind, lost) in LOST.items():
            if still(times, step, numbers):
                text = f"No {step}{_since(times.last.get(step), times.now)}, though ticks come"
                yield Problem(kind, f"{text}: {lost}.", f"{_look(control)} {RESTART}")
    if (objects := roll.alive(OBJECTS)) and _waits(times) and still(times, "forward", numbers):
        since = _since(times.last.get("forward"), times.now)
        text = f"No object was taken or finished{since}, though objects are in flight."
        yield Problem("no-forward", text, f"{_look(objects)} {RESTART}")


def _waits(times: StepTimes) -> bool:
    """Whether an object has been in flight for longer than workers that work let it wait."""
    return times.waiting is not None and times.now - times.waiting > STILL * 1000


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
        case "forward":
            return STILL
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
            yield f"{_who(each)}: its clock is {abs(ahead):.0f} s {way} the broker's"


def advice(roll: Roll) -> Iterator[str]:
    """Yield what is worth knowing of the fleet and keeps nothing from moving."""
    for each in versions(roll):
        yield f"{each}. {ONE_VERSION}"
    for each in clocks(roll):
        yield f"{each}. {SET_CLOCK}"


def versions(roll: Roll) -> Iterator[str]:
    """Say which versions are at work, where there are several: that is no error."""
    found = _alive_by(roll, lambda presence: presence.version)
    if len(found) > 1:
        yield f"{_count(found)} versions in this fleet: {_told(found)}"


def _configurations(roll: Roll) -> Iterator[Problem]:
    """Compare configurations within a version: another one may have other settings to digest."""
    for version in _alive_by(roll, lambda presence: presence.version):
        found = _alive_by(roll, lambda presence: presence.config, version)
        if len(found) > 1:
            text = f"{_count(found)} configurations in this fleet: {_told(found)}."
            yield Problem("two-configurations", text, SAME)


def _alive_by(
    roll: Roll, what: Callable[[Presence], str], version: str | None = None
) -> dict[str, list[FleetProcess]]:
    """The live processes, only of *version* if that is given, by what they say of themselves."""
    found: dict[str, list[FleetProcess]] = {}
    for each in roll.seen:
        said = what(each.presence)
        if each.alive and said and version in {None, each.presence.version}:
            found.setdefault(said, []).append(each)
    return found


def _count(found: Mapping[str, object]) -> str:
    return "Two" if len(found) == 2 else f"{len(found)}"


def _told(found: Mapping[str, Sequence[FleetProcess]]) -> str:
    return "; ".join(
        f"{printable(name)} on {_named(those)}" for name, those in sorted(found.items())
    )


def _no_tick(roll: Roll, times: StepTimes) -> Problem:
    since = _since(times.last.get("tick"), times.now)
    if clock := roll.alive(BEAT):
        whose = f"{_named(clock)} is alive and sends none for this source: two configurations?"
    else:
        gone = _last(roll, BEAT)
        whose = f"No clock{gone}: it ended, stands still, or uses another broker or namespace."
    return Problem("no-tick", f"No tick{since}: nothing is polled. {whose}", START[BEAT])


def _named(those: Sequence[FleetProcess]) -> str:
    more = len(those) - CONFIGURED
    names = ", ".join(_who(each) for each in those[:CONFIGURED])
    return f"{names} and {more} more" if more > 0 else names


def _who(each: FleetProcess) -> str:
    return printable(f"{each.name} on {each.presence.host or 'a host without a name'}")


def _look(those: Sequence[FleetProcess]) -> str:
    return f"See the log of {_named(those)} (`task_failed`, `queue_failed`, `bug`)."


def _last(roll: Roll, role: str) -> str:
    return _since(roll.last.get(role), roll.now)


def _since(at: int | None, now: int) -> str:
    """Since *at*, both in milliseconds of the ledger's clock; empty for never."""
    if at is None:
        return ""
    if at > now + SLACK * 1000:
        return " since the broker's clock was set back"
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f" since {moment:%Y-%m-%d %H:%M:%SZ} ({age((now - at) / 1000)})"
