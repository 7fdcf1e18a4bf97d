"""``trailcourier demo``: the whole line on an emulated AWS, and every record counted."""

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
    typer.Option(help="Where to keep what it writes; else in a folder that goes at the end."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Run on until a signal comes.")]
Serve = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS:PORT",
        help="Start only the emulated AWS, there, for a fleet that runs already. The configuration "
        "is the fleet's, with a source `demo` that delivers into files.",
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
    """Carry simulated CloudTrail traffic from an emulated AWS into files, and count every record.

    Starts a broker, an emulated AWS, a whole fleet and Flower, all on the loopback; touches no
    account and, but for --serve, no configuration and no other broker. Ends with a table and one
    line of JSON, and with 1 if a record was lost, altered or should not be there, the queue holds
    what it should not, or a signal ended it before the records were compared.
    """
    console = Console(stderr=True)
    chosen = random.randrange(10**6) if seed is None else seed  # noqa: S311 - printed, to repeat it
    if serve is not None:
        if directory is not None:
            raise typer.BadParameter("--directory is not for --serve: the configuration says where")
        visit = stage.Visit(_address(serve), seed=chosen, files=files, keep=keep)
        verdict = stage.serve(visit, settings.load(ctx.obj.config), console)
        _tell(verdict, console, f"repeat it with --seed {chosen}")
        return
    home = (directory or Path(tempfile.mkdtemp(prefix="trailcourier-demo-"))).absolute()
    verdict = stage.demo(
        stage.Options(directory=home, seed=chosen, files=files, keep=keep), console
    )
    if verdict is None or verdict.good:
        _clear(home, unless=directory)
    _tell(verdict, console, f"what was written is in {home}; repeat it with --seed {chosen}")


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


def _tell(verdict: stage.Verdict | None, console: Console, hint: str) -> None:
    """Say how it ended; *hint* is for when that is not well."""
    if verdict is None:
        console.print("stopped before the end: no record was compared, so this is no success")
        raise typer.Exit(Exit.NO)
    console.print(verdict.table())
    for problem in verdict.problems:
        console.print(problem, style="red", markup=False, highlight=False)
    print(verdict.line())
    if not verdict.good:
        console.print(hint)
        raise typer.Exit(Exit.NO)


def _clear(home: Path, *, unless: Path | None) -> None:
    """Remove what the demo wrote, *unless* its folder was asked for."""
    if unless is None:
        shutil.rmtree(home)
