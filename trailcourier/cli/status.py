"""``trailcourier status``: how each source stands."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.table import Table

from trailcourier import standstill, status, wiring
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.sources import asked
from trailcourier.errors import ConfigError, Fault
from trailcourier.ledger.workers import Roll
from trailcourier.printable import age
from trailcourier.sqs import Depth
from trailcourier.status import Standing
from trailcourier.wiring import lines

app = typer.Typer()

SINK = ("delivered", "filtered", "refused", "repaired")
STYLES = {"well": "green", "see below": "yellow"}  # any other is red
NUMBERS = frozenset(
    {"in queue", "held", "oldest", "in flight", "parked", "refused", "last success"}
    | {"records in", "delivered", "filtered", "repaired"}
)


@app.command(name="status")
def show(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what each source has in hand, what it has done, and what holds it up.

    Asks the broker, and each queue how much waits in it. Exits with 1 where a source is held up or
    a part of the fleet stands still, else with 0.
    """
    with asked(ctx, source) as names:
        roll = wiring.roll()
        found = _standings(names, roll)
    if as_json:
        output.say_json(
            {
                "sources": found,
                "processes": standstill.processes(roll),
                "advice": list(standstill.advice(roll)),
            }
        )
    else:
        output.say(_now(found))
        output.say("")
        output.say(_sums(found))
        for line in _remarks(found, roll):
            output.say("")
            output.say(line)
    raise typer.Exit(Exit.DONE if all(each.moves for each in found) else Exit.NO)


def _standings(names: Sequence[str], roll: Roll) -> list[Standing]:
    with ThreadPoolExecutor(min(8, len(names))) as pool:
        depths = list(pool.map(_depth, names))
    found = []
    for name, (depth, trouble) in zip(names, depths, strict=True):
        visible, limits = (depth.visible, depth.limits) if depth else (None, None)
        ledger = wiring.ledger(name)
        found.append(status.standing(ledger, visible, trouble, roll=roll, limits=limits))
    return found


def _remarks(found: Sequence[Standing], roll: Roll) -> Iterator[str]:
    """What does not move, and what to do; what is of the whole fleet is said once."""
    for each in standstill.of_fleet(roll):
        yield f"fleet: {each}"
    for advice in standstill.advice(roll):
        yield f"fleet: {advice}"
    for source in found:
        for each in source.problems:
            if each.kind not in standstill.FLEETS:
                yield f"{source.source}: {each}"
        for advice in source.advice:
            yield f"{source.source}: {advice}"


def _depth(name: str) -> tuple[Depth | None, str]:
    """How many messages wait in the queue, and why that is not known."""
    try:
        return lines.queue(name).depth(), ""
    except (Fault, ConfigError) as error:
        return None, f"The queue does not say how much waits in it: {str(error).rstrip('.')}."


def _now(found: Sequence[Standing]) -> Table:
    """What is in hand: messages first, then objects."""
    table = output.table(
        *("source", "in queue", "held", "oldest", "in flight", "parked", "refused"),
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


def _sums(found: Sequence[Standing]) -> Table:
    """What was done since the ledger began, sink by sink; of the refused some were repaired."""
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
