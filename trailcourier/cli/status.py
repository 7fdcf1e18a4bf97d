"""``trailcourier status``: the status of each source, and what to do."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import typer
from rich.table import Table

from trailcourier import wiring
from trailcourier.aws.sqs import QueueDepth
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.cli.sources import OneSource, selected
from trailcourier.errors import ConfigError, Fault
from trailcourier.ledger.workers import FleetRoster
from trailcourier.operations import standstill, status
from trailcourier.operations.status import SourceStatus
from trailcourier.text import age
from trailcourier.wiring import lines

app = typer.Typer()

SINK = ("delivered", "filtered", "refused", "repaired")
STYLES = {"well": "green", "attention": "yellow"}  # any other is red
NUMBERS = frozenset(
    {"queued", "leased", "oldest", "in flight", "parked", "refused", "last success"}
    | {"records in", "delivered", "filtered", "repaired"}
)


@app.command(name="status")
def show(
    ctx: typer.Context,
    source: OneSource = "",
    as_json: AsJson = False,
) -> None:
    """Show what each source has in hand, what it has done, what is paused or stalled, and the fix.

    Reads the broker, and the number of waiting messages from each queue. Exits with 1 if a source
    is paused or a part of the fleet is missing or stalled, else with 0.
    """
    with selected(ctx, source) as names:
        roll = wiring.roll()
        found = _read_all(names, roll)
    if as_json:
        output.say_json(
            {
                "sources": found,
                "processes": standstill.list_processes(roll),
                "advice": list(standstill.fleet_advice(roll)),
            }
        )
    else:
        output.say(_work_table(found))
        output.say("")
        output.say(_sums_table(found))
        for line in _remarks(found, roll):
            output.say("")
            output.say(line)
    raise typer.Exit(Exit.DONE if all(each.moves for each in found) else Exit.NO)


def _read_all(names: Sequence[str], roll: FleetRoster) -> list[SourceStatus]:
    with ThreadPoolExecutor(min(8, len(names))) as pool:
        depths = list(pool.map(_read_depth, names))
    found = []
    for name, (depth, error) in zip(names, depths, strict=True):
        visible, limits = (depth.visible, depth.limits) if depth else (None, None)
        ledger = wiring.ledger(name)
        found.append(status.read_status(ledger, visible, error, roll=roll, limits=limits))
    return found


def _remarks(found: Sequence[SourceStatus], roll: FleetRoster) -> Iterator[str]:
    """Yield what is wrong and what to do; what concerns the whole fleet comes first and once."""
    for each in standstill.fleet_problems(roll):
        yield f"fleet: {each}"
    for advice in standstill.fleet_advice(roll):
        yield f"fleet: {advice}"
    for source in found:
        for each in source.problems:
            if each.kind not in standstill.FLEETS:
                yield f"{source.source}: {each}"
        for advice in source.advice:
            yield f"{source.source}: {advice}"


def _read_depth(name: str) -> tuple[QueueDepth | None, str]:
    """Return the depth of the queue, or None and the sentence that says why it is unknown."""
    try:
        return lines.queue(name).depth(), ""
    except (Fault, ConfigError) as error:
        return None, f"The depth of the queue is unknown: {str(error).rstrip('.')}."


def _work_table(found: Sequence[SourceStatus]) -> Table:
    """Return the table of work in hand: messages first, then objects."""
    table = output.table(
        *("source", "queued", "leased", "oldest", "in flight", "parked", "refused"),
        *("last success", "state"),
        numbers=NUMBERS,
    )
    for each in found:
        success = age(each.last_success_seconds)
        table.add_row(
            output.cell(each.source),
            output.cell("?" if each.depth is None else each.depth),
            output.cell(each.messages),
            output.cell(age(each.oldest_seconds)),
            output.cell(each.in_flight),
            output.cell(each.parked),
            output.cell(each.quarantined),
            output.cell("never" if success == "-" else f"{success} ago"),
            output.cell(each.state, STYLES.get(each.state, "red")),
        )
    return table


def _sums_table(found: Sequence[SourceStatus]) -> Table:
    """Return the table of records since the ledger began; some of the refused were repaired."""
    table = output.table(
        *("source", "sink", "records in", "delivered", "filtered", "refused", "repaired"),
        numbers=NUMBERS,
    )
    for each in found:
        for name, sink in each.sinks.items() or [("-", {})]:
            table.add_row(
                output.cell(each.source),
                output.cell(name),
                output.cell(each.records.get("in", 0)),
                *(output.cell(sink.get(what, 0)) for what in SINK),
            )
    return table
