"""The fleet by its ledger: who is at work, what moves, and whether all have one configuration."""

from collections.abc import Iterator

from trailcourier import standstill
from trailcourier.doctor import broker, order, trouble
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS
from trailcourier.standstill import Kind, Problem

STARTS = "Start it: `trailcourier run` on one host, or as docs/operations.md says of a fleet."

TOLD: Entries = {
    "TC807": Entry(
        "Is everybody at work?",
        ("ok", "unproved", "error"),
        "A control worker, an object worker and the clock: each tells the broker of itself every "
        "ten seconds, and the clock of each tick. Who is not heard of has ended, stands still, or "
        "uses another broker or namespace. Not judged where no fleet has ever run on this broker.",
    ),
    "TC808": Entry(
        "Does every step of the line move?",
        ("ok", "unproved", "error"),
        "Polls, forwards, settles and tends leave a trace in the broker each time that they are "
        "through. A process may be alive and its work stand still; the log of the processes named "
        "says why.",
    ),
    "TC809": Entry(
        "Have all hosts the same configuration?",
        ("ok", "warning", "error"),
        "Each process tells a digest of sources, sinks, `[line]` and namespace, without secrets or "
        "what is one process's own. Two at once, after a change was not brought "
        "everywhere, poll and deliver differently. For as long as a fleet is restarted host by "
        "host there are two. Only processes of one version are compared; two versions at once are "
        "a warning.",
    ),
}
STEPS: frozenset[Kind] = frozenset({"no-poll", "no-forward", "no-settle", "no-tend"})
THERE: frozenset[Kind] = frozenset({"no-control-worker", "no-object-worker", "no-tick"})
CONFIGURED: frozenset[Kind] = frozenset({"two-configurations"})


@order.after("TC801", "TC802", "TC803", "TC804", says="TC807")
def look(subject: Subject) -> Iterator[Finding]:
    """Look who is at work, and what moves."""
    known = broker.line(subject)
    if known is None:  # TC806 says so
        return
    yield from _clocks(known)
    if not known.roll.last:
        text = "no process of a fleet has ever been heard of on this broker"
        yield Finding("unproved", "TC807", text, STARTS)
        return
    missing, still, two = (_of(known, kinds) for kinds in (THERE, STEPS, CONFIGURED))
    yield from _found("TC807", missing, _there(known))
    if missing and not still:
        yield trouble.behind("TC808", "TC807")
    else:
        moves = "polls, forwards, settles and tends leave their traces"
        yield from _found("TC808", still, moves)
    versions = list(standstill.versions(known.roll))
    for each in versions:
        yield Finding("warning", "TC809", each, standstill.ONE_VERSION)
    if two or not versions:
        yield from _found("TC809", two, "all processes have the same")


def _of(known: broker.Line, kinds: frozenset[Kind]) -> list[Problem]:
    return [each for each in known.standing.problems if each.kind in kinds]


def _found(id_: str, problems: list[Problem], well: str) -> Iterator[Finding]:
    for each in problems:
        yield Finding("error", id_, each.text, each.fix)
    if not problems:
        yield Finding("ok", id_, well)


def _there(known: broker.Line) -> str:
    count = {role: len(known.roll.alive(role)) for role in (CONTROL, OBJECTS, BEAT)}
    return f"alive: {count[CONTROL]} control, {count[OBJECTS]} objects, {count[BEAT]} beat"


def _clocks(known: broker.Line) -> Iterator[Finding]:
    """Yield what is wrong with the clocks of the fleet; this machine's is looked at already."""
    for each in standstill.clocks(known.roll):
        yield Finding("warning", "TC805", each, standstill.SET_CLOCK)
