"""``trailcourier healthcheck``: whether a process here is well."""

from pathlib import Path
from typing import Annotated

import typer

from trailcourier import heartbeat

app = typer.Typer()


@app.command()
def healthcheck(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The process's `workers.heartbeat_file`; left out: the one it has by default.",
        ),
    ] = None,
) -> None:
    """Say whether a process does its work; exits 1 if it stands still or had no broker for 60 s.

    Reads the process's heartbeat file and nothing else, so that it may run every few seconds.
    Without FILE it answers for the processes of this user that were given none of their own: right
    in a container, where there is one.
    """
    raise typer.Exit(heartbeat.check([str(file)] if file else []))
