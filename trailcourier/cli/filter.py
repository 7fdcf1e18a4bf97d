"""``trailcourier filter test``: what a source's filter does with the records of a file."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from trailcourier import settings
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.cli.sources import configure
from trailcourier.errors import Fault
from trailcourier.operations import verdicts
from trailcourier.operations.verdicts import FilteredRecord, FilterVerdicts, TriedFilter
from trailcourier.text import printable

app = typer.Typer(help="Show which records of a log file a filter drops, and by which rule.")

LogFilePath = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A CloudTrail log file, gzip or plain; - reads standard input."
    ),
]
TriedSource = Annotated[
    str, typer.Option("--source", help="Whose filter; not needed if there is only one source.")
]
Passed = Annotated[bool, typer.Option("--passed", help="Also list records that pass the filter.")]
Limit = Annotated[
    int,
    typer.Option(min=0, help="How many dropped records to list, and how many that pass."),
]

COLUMNS = ("verdict", "eventTime", "eventSource", "eventName", "eventID")


@app.callback()
def _filter() -> None:
    """Show which records of a log file a filter drops, and by which rule."""


@app.command(name="test")
def try_filter(
    ctx: typer.Context,
    file: LogFilePath,
    *,
    source: TriedSource = "",
    passed: Passed = False,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show which records of a log file a source's filter drops, and by which rule.

    Reads the file as a worker does. Sends nothing, and needs no broker and no AWS. Without a
    configuration it tries the default filter. Exits with 1 if a worker would refuse the file.
    """
    tried = _choose_filter(ctx.obj.config, source)
    shown = "standard input" if str(file) == "-" else str(file)
    try:
        data = _read(file, tried.limits.compressed)
        found = verdicts.read_verdicts(tried, data, listed=limit, passed=passed)
    except Fault as fault:
        _explain(shown, fault)
        raise typer.Exit(Exit.NO) from None
    if as_json:
        output.say_json(found)
    else:
        output.say_lines(_lines(shown, found, passed=passed))


def _choose_filter(config: Path | None, source: str) -> TriedFilter:
    """Return the filter of *source*, of the only source, or without a configuration the default."""
    if not source and not settings.exists(config):
        return TriedFilter()
    found = settings.load(config, tables=("sources",))
    names = configure(found, source)
    if len(names) != 1:
        raise typer.BadParameter(
            f"there are several sources: name one of {', '.join(names)} with --source"
        )
    return TriedFilter.of_source(names[0], found.sources[names[0]])


def _read(file: Path, limit: int) -> bytes:
    """Read *file*, or standard input for ``-``; raises Fault if it is longer than *limit*."""
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(limit + 1)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise Fault("too-large", f"more than {limit} bytes as stored")
    return data


def _explain(file: str, fault: Fault) -> None:
    """Print why a worker would refuse *file*, and what to do."""
    for line in (f"{file}: {fault.detail} ({fault.reason})", verdicts.FIXES[fault.reason]):
        typer.echo(f"trailcourier: {printable(line)}", err=True)


def _lines(file: str, found: FilterVerdicts, *, passed: bool) -> Iterator[str]:
    whose = f"the filter of {found.source}" if found.source else "the default filter"
    yield (
        f"{file}, {whose}: {found.records:,} records, {found.passed:,} pass, "
        f"{found.dropped:,} dropped"
    )
    rows = [[f"  {name}", f"{count:,} dropped"] for name, count in found.rules.items()]
    yield from output.columns(rows) if rows else ["  the source is unfiltered"]
    yield from _listed("dropped", found.dropped_records, found.dropped)
    if passed:
        yield from _listed("passed", found.passed_records, found.passed)


def _listed(verdict: str, listed: Sequence[FilteredRecord], number: int) -> Iterator[str]:
    """Yield a row for each record in *listed*, and how many of *number* are left out."""
    if not number:
        return
    yield ""
    rows = [
        (
            f"dropped by {each.rule}" if each.rule else "passes",
            *(printable(field) or "-" for field in (each.time, each.service, each.name, each.id)),
        )
        for each in listed
    ]
    yield from output.columns([COLUMNS, *rows]) if rows else []
    if more := number - len(listed):
        yield f"... and {more:,} more {verdict}; --limit lists them"
