"""``trailcourier healthcheck``: check whether a process on this host is healthy."""

from pathlib import Path
from typing import Annotated

import typer

from trailcourier.observability import heartbeat

app = typer.Typer()


@app.command()
def healthcheck(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The process's `workers.heartbeat_file`; by default the file it has by default.",
        ),
    ] = None,
) -> None:
    """Check a process; exits with 1 if it has stalled or had no broker for 60 s.

    Reads the process's heartbeat file and nothing else, so it may run every few seconds. Without
    FILE it checks the processes of this user whose configuration names no `heartbeat_file`, which
    is right in a container with one process.
    """
    raise typer.Exit(heartbeat.check([str(file)] if file else []))
