"""``trailcourier status``: how each source stands."""

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from trailcourier import settings, status, wiring
from trailcourier.errors import Fault

app = typer.Typer()


@app.command(name="status")
def show(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what each source has in hand, what it has done, and what holds it up.

    Asks the broker, and each queue how much waits in it.
    """
    wiring.configure(settings.load(ctx.obj.config))
    wiring.demand_broker()
    names = [wiring.known(source)] if source else list(wiring.settings().sources)
    found = [status.standing(wiring.ledger(name), _depth(name)) for name in names]
    if as_json:
        sys.stdout.write(msgspec.json.encode({"sources": found}).decode() + "\n")
        return
    console = Console()
    console.print(_table(found))
    for each in found:
        for advice in each.advice:
            console.print(f"{each.source}: {advice}", markup=False, highlight=False)


def _depth(name: str) -> int | None:
    try:
        depth = wiring.line(name).queue.depth()
    except Fault:  # `doctor` says why; here it is one number among many
        return None
    return None if depth is None else depth.visible


def _table(found: list[status.Standing]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("source", "waiting", "in flight", "parked", "oldest", "delivered", "filtered",
                   "refused", "last success", "state"):  # fmt: skip
        numeric = column not in ("source", "state")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for each in found:
        delivered = max((sink.get("delivered", 0) for sink in each.sinks.values()), default=0)
        filtered = sum(v for name, v in each.records.items() if name.startswith("filtered:"))
        table.add_row(
            each.source,
            "?" if each.depth is None else str(each.depth),
            str(each.in_flight),
            str(each.parked),
            _age(each.oldest),
            f"{delivered:,}",
            f"{filtered:,}",
            str(each.quarantined),
            _ago(each.last_success),
            _state(each),
        )
    return table


def _state(each: status.Standing) -> str:
    if each.breakers:
        return "[red]held up: " + ", ".join(breaker.name for breaker in each.breakers) + "[/red]"
    if not each.workers:
        return "[red]no object worker[/red]"
    if each.advice:
        return "[yellow]see below[/yellow]"
    return "[green]well[/green]"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{_age(seconds)} ago"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
