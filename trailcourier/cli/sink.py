"""``trailcourier sink test``: send one marked record to one sink."""

from typing import Annotated

import typer

from trailcourier import settings, wiring
from trailcourier.errors import Fault, Unreachable
from trailcourier.sinks import test_record
from trailcourier.wiring import lines

app = typer.Typer(help="Test a sink by itself.")


@app.callback()
def _sink() -> None:
    """Test a sink by itself."""


@app.command()
def test(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The sink, as in [sinks.NAME].")],
) -> None:
    """Send one marked record to a sink, with the delivery settings that workers use.

    Needs no broker and no AWS. Exits with 69 if the sink does not accept it.
    """
    wiring.configure(settings.load(ctx.obj.config))
    sink = lines.sink(name)
    try:
        event = test_record.send(sink)
    except Fault as fault:
        raise Unreachable(f"sink {name}: {fault.detail} ({fault.reason})") from fault
    finally:
        sink.close()
    typer.echo(
        f"Sink {name} accepted the record with eventID {event}; look for it there.", err=True
    )
