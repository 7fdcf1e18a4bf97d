"""``trailcourier sink test``: one marked record to one sink."""

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from trailcourier import settings, wiring
from trailcourier.errors import Fault, Unreachable
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks import Outlet
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
    record, event = _marked()
    try:
        _send(outlet, record, event)
    except Fault as fault:
        raise Unreachable(f"sink {name}: {fault.detail} ({fault.reason})") from fault
    finally:
        outlet.close()
    typer.echo(f"{name} took the record with eventID {event}; look for it there.", err=True)


def _send(outlet: Outlet, record: bytes, event: str) -> None:
    delivery = outlet.start(Origin("sink-test", ObjectRef("sink-test", event), event))
    try:
        for piece in outlet.send(delivery, [(0, record)], stopping=threading.Event()):
            for refused in piece.refused:
                raise Fault(refused.reason, refused.detail)
        delivery.finish()
    finally:
        delivery.drop()


def _marked() -> tuple[bytes, str]:
    """A record that says what it is, and its eventID."""
    event = str(uuid.uuid4())
    record = {
        "eventVersion": "1.11",
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "sink-test.trailcourier",
        "eventName": "TrailcourierSinkTest",
        "eventID": event,
        "eventType": "AwsServiceEvent",
        "additionalEventData": {"note": "A test of the way to this sink; nothing happened in AWS."},
    }
    return json.dumps(record, separators=(",", ":")).encode(), event
