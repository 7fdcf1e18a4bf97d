"""``trailcourier demo``: run the whole line on an emulated AWS, and compare every record."""

import ipaddress
import random
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trailcourier import demo as stage
from trailcourier import settings
from trailcourier.cli.exits import Exit

app = typer.Typer()


Seed = Annotated[int | None, typer.Option(help="Repeat the traffic of an earlier demo.", min=0)]
Files = Annotated[int, typer.Option(help="Log files to simulate.", min=10, max=5000)]
Directory = Annotated[
    Path | None,
    typer.Option(help="Where to keep the output; by default a folder that is removed at the end."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep running until a signal stops it.")]
Serve = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS:PORT",
        help="Start only the emulated AWS, at this address, for a fleet that runs already. Use the "
        "fleet's configuration, with a source `demo` that delivers into files.",
    ),
]


@app.command()
def demo(
    ctx: typer.Context,
    *,
    seed: Seed = None,
    files: Files = 120,
    directory: Directory = None,
    keep: Keep = False,
    serve: Serve = None,
) -> None:
    """Forward simulated CloudTrail traffic from an emulated AWS into files, and count every record.

    Starts a broker, an emulated AWS, a whole fleet and Flower, all on the loopback interface. Uses
    no AWS account and, except with --serve, no configuration and no other broker. Prints a table
    and one line of JSON. Exits with 1 if a record was lost, altered or unexpected, if the queue
    has a message that it should not have, or if a signal ended it before records were compared.
    """
    stage.demand_moto()
    console = Console(stderr=True)
    chosen = random.randrange(10**6) if seed is None else seed  # noqa: S311 - printed, to repeat it
    if serve is not None:
        if directory is not None:
            raise typer.BadParameter(
                "--directory cannot be used with --serve: the configuration says where the files go"
            )
        visit = stage.RemoteDemo(_address(serve), seed=chosen, files=files, keep=keep)
        verdict = stage.serve_remote(visit, settings.load(ctx.obj.config), console)
        _report(verdict, console, f"repeat it with --seed {chosen}")
        return
    home = (directory or Path(tempfile.mkdtemp(prefix="trailcourier-demo-"))).absolute()
    verdict = stage.run_demo(
        stage.DemoOptions(directory=home, seed=chosen, files=files, keep=keep), console
    )
    if directory is None and (verdict is None or verdict.good):
        shutil.rmtree(home)
    _report(verdict, console, f"what was written is in {home}; repeat it with --seed {chosen}")


def _address(text: str) -> str:
    host, _, port = text.partition(":")
    try:
        ipaddress.IPv4Address(host)
        usable = 0 < int(port) < 65_536
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter("--serve takes an address and a port, such as 0.0.0.0:5000")
    return text


def _report(verdict: stage.DemoVerdict | None, console: Console, hint: str) -> None:
    """Print the verdict, and *hint* if it is not good; exit with 1 then."""
    if verdict is None:
        console.print(
            "stopped before the end, before any record was compared; start it again for a result"
        )
        raise typer.Exit(Exit.NO)
    console.print(verdict.table())
    for problem in verdict.problems:
        console.print(problem, style="red", markup=False, highlight=False)
    print(verdict.line())
    if not verdict.good:
        console.print(hint)
        raise typer.Exit(Exit.NO)
