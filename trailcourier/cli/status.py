"""``trailcourier status``: the status of each source, and what to do."""

import time
from typing import Annotated

import typer

from trailcourier import settings, wiring
from trailcourier.cli import output, status_view, tables, watch
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.cli.sources import OneSource, configure, quiet, selected
from trailcourier.host import launch
from trailcourier.host.signals import stop_event
from trailcourier.operations.overview import Observer, StatusOverview

app = typer.Typer()

WINDOW = 60.0  # seconds over which a live view measures the rate


Workers = Annotated[bool, typer.Option("--workers", help="Also list the processes of the fleet.")]
Measure = Annotated[
    float,
    typer.Option(
        min=0,
        max=3600,
        metavar="SECONDS",
        help="Look twice, with this many seconds between, and show how fast each source is.",
    ),
]
Watched = Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")]
Interval = Annotated[
    float,
    typer.Option(
        min=0.5, max=3600, metavar="SECONDS", help="With --watch: the time between two looks."
    ),
]


@app.command(name="status")
def show(
    ctx: typer.Context,
    source: OneSource = "",
    *,
    workers: Workers = False,
    measure: Measure = 0,
    watched: Watched = False,
    interval: Interval = 3,
    as_json: AsJson = False,
) -> None:
    """Show what each source has in hand, what it has done, what is paused or stalled, and the fix.

    Reads the broker, and the number of waiting messages from each queue. Exits with 1 if a source
    is paused or a part of the fleet is missing or stalled, else with 0; with --watch always with 0.

    --watch redraws a terminal; elsewhere it prints one block after the other, or with --json one
    object in each line. It goes on while the broker does not answer.
    """
    if watched:
        view = watch.View(workers=workers, as_json=as_json, interval=interval)
        observer = Observer(_names_to_watch(ctx, source), WINDOW)
        with stop_event() as stopping:
            watch.watch(observer, view, stopping)
        return
    with selected(ctx, source) as names:
        observer = Observer(names)
        found = observer.look()
        if measure:
            time.sleep(measure)
            found = observer.look()
    if as_json:
        output.say_json(found)
    else:
        _print(found, workers=workers)
    raise typer.Exit(Exit.DONE if all(each.moves for each in found.sources) else Exit.NO)


def _print(found: StatusOverview, *, workers: bool) -> None:
    for number, each in enumerate(
        status_view.sections(found, tables.console_width(), workers=workers)
    ):
        if number:
            output.say("")
        output.say(each)


def _names_to_watch(ctx: typer.Context, source: str) -> list[str]:
    """Return the sources; starts no private broker, which would keep `run` from starting it."""
    found = launch.with_running_broker(quiet(settings.load(ctx.obj.config)))
    names = configure(found, source)
    wiring.demand_broker()
    return names
