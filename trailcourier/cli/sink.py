"""``trailcourier sink test``: one marked record to one sink."""

from typing import Annotated

import typer

from trailcourier import settings, wiring
from trailcourier.errors import Fault, Unreachable
from trailcourier.sinks import trial
from trailcourier.wiring import lines

app = typer.Typer(help="Try a sink by itself.")


@app.callback()
def _sink() -> None:
    """Try a sink by itself."""


@app.command()
def test(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The sink, as in [sinks.NAME].")],
) -> None:
    """Send one marked record to a sink, on the terms it has in the line.

    Needs no broker and no AWS. Exits with 69 if the sink does not take it.
    """
    wiring.configure(settings.load(ctx.obj.config))
    outlet = lines.sink(name)
    try:
        event = trial.send(outlet)
    except Fault as fault:
        raise Unreachable(f"sink {name}: {fault.detail} ({fault.reason})") from fault
    finally:
        outlet.close()
    typer.echo(f"{name} took the record with eventID {event}; look for it there.", err=True)
