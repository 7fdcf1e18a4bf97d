"""``trailcourier demo``: the whole line on an emulated AWS, and every record counted."""

import random
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trailcourier import demo as stage
from trailcourier.cli.exits import Exit

app = typer.Typer()


@app.command()
def demo(
    seed: Annotated[
        int | None, typer.Option(help="Repeat the traffic of an earlier demo.", min=0)
    ] = None,
    files: Annotated[int, typer.Option(help="Log files to simulate.", min=10, max=5000)] = 120,
    directory: Annotated[
        Path | None,
        typer.Option(help="Where to keep what it writes; else in a folder that goes at the end."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Run on until a signal comes.")] = False,
) -> None:
    """Carry simulated CloudTrail traffic from an emulated AWS into files, and count every record.

    Starts a broker, an emulated AWS, a whole fleet and Flower, all on the loopback; touches no
    account, no configuration and no other broker. Ends with a table and one line of JSON, and
    with 1 if a record was lost, altered or should not be there, or the queue holds what it should
    not.
    """
    console = Console(stderr=True)
    chosen = random.randrange(10**6) if seed is None else seed  # noqa: S311 - printed, to repeat it
    home = (directory or Path(tempfile.mkdtemp(prefix="trailcourier-demo-"))).absolute()
    verdict = stage.demo(
        stage.Options(directory=home, seed=chosen, files=files, keep=keep), console
    )
    if verdict is None:
        console.print("stopped before the end, so there is nothing to say about the records")
        _clear(home, unless=directory)
        raise typer.Exit(Exit.DONE)
    console.print(verdict.table())
    for problem in verdict.problems:
        console.print(problem, style="red", markup=False, highlight=False)
    print(verdict.line())
    if not verdict.good:
        console.print(f"what was written is in {home}; repeat it with --seed {chosen}")
        raise typer.Exit(Exit.NO)
    _clear(home, unless=directory)


def _clear(home: Path, *, unless: Path | None) -> None:
    """Remove what the demo wrote, *unless* its folder was asked for."""
    if unless is None:
        shutil.rmtree(home)
