"""The fleet, as its ledger shows it: live processes, progress, and equal configurations."""

from collections.abc import Iterator

from trailcourier.doctor import aws_findings, broker, prerequisites
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS
from trailcourier.operations import standstill
from trailcourier.operations.standstill import Kind, Problem

STARTS = "Start it: `trailcourier run` on one host, or a fleet as in docs/operations.md."

ENTRIES: Entries = {
    "TC807": CatalogueEntry(
        "Are all processes of the fleet alive?",
        ("ok", "not-checked", "error"),
        "A fleet needs a control worker, an object worker and beat. Each writes a heartbeat to the "
        "broker every ten seconds, and beat also records each tick. A silent process has ended, "
        "hangs, or uses another broker or namespace. Not checked if no fleet has ever run on this "
        "broker.",
    ),
    "TC808": CatalogueEntry(
        "Does every step of the line make progress?",
        ("ok", "not-checked", "error"),
        "Poll, forward, settle and maintenance each record in the ledger when they complete. A "
        "process can be alive and make no progress; the log of the processes that the finding "
        "names says why.",
    ),
    "TC809": CatalogueEntry(
        "Do all hosts have the same configuration?",
        ("ok", "warning", "error"),
        "Each process reports a digest of sources, sinks, `[line]` and namespace, without secrets "
        "and without settings of the process itself. If a change did not reach all hosts, they "
        "poll and deliver differently. Two digests are normal while a fleet is restarted host by "
        "host. Only processes of one version are compared; two versions at once are a warning.",
    ),
}
STEPS: frozenset[Kind] = frozenset({"no-poll", "no-forward", "no-settle", "no-maintenance"})
ALIVE: frozenset[Kind] = frozenset({"no-control-worker", "no-object-worker", "no-tick"})
CONFIGURED: frozenset[Kind] = frozenset({"two-configurations"})


@prerequisites.skip_after_errors("TC801", "TC802", "TC803", "TC804", reports="TC807")
def check_fleet(subject: Subject) -> Iterator[Finding]:
    """Check which processes are alive, and whether the line makes progress."""
    state = broker.read_source_state(subject)
    if state is None:  # TC801 reports it
        return
    for each in standstill.clock_warnings(state.roll):  # `broker` checks this machine's clock
        yield Finding("warning", "TC805", each, standstill.SET_CLOCK)
    if not state.roll.last:
        text = "no process has ever written a heartbeat to this broker"
        yield Finding("not-checked", "TC807", text, STARTS)
        return
    silent, stalled, different = (_problems(state, kinds) for kinds in (ALIVE, STEPS, CONFIGURED))
    yield from _report("TC807", silent, _count_alive(state))
    if silent and not stalled:
        yield aws_findings.blocked_finding("TC808", "TC807")
    else:
        progress = "poll, forward, settle and maintenance make progress"
        yield from _report("TC808", stalled, progress)
    versions = list(standstill.version_warnings(state.roll))
    for each in versions:
        yield Finding("warning", "TC809", each, standstill.ONE_VERSION)
    if different or not versions:
        same = "all processes have the same configuration"
        yield from _report("TC809", different, same)


def _problems(state: broker.SourceState, kinds: frozenset[Kind]) -> list[Problem]:
    return [each for each in state.standing.problems if each.kind in kinds]


def _report(id_: str, problems: list[Problem], success: str) -> Iterator[Finding]:
    for each in problems:
        yield Finding("error", id_, each.text, each.fix)
    if not problems:
        yield Finding("ok", id_, success)


def _count_alive(state: broker.SourceState) -> str:
    count = {role: len(state.roll.alive(role)) for role in (CONTROL, OBJECTS, BEAT)}
    return (
        f"alive processes: {count[CONTROL]} control, {count[OBJECTS]} objects, {count[BEAT]} beat"
    )
