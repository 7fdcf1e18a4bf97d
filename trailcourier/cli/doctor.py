"""``trailcourier doctor``: what keeps records from arriving, and what to do about it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from trailcourier import doctor, host, settings, wiring
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.sources import quiet
from trailcourier.doctor import Shared, Told
from trailcourier.doctor.configuration import unusable
from trailcourier.errors import ConfigError
from trailcourier.printable import printable
from trailcourier.settings import Settings

app = typer.Typer()

STYLES = {"ok": "green", "unproved": "cyan", "warning": "yellow", "error": "bold red"}
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command(name="doctor")
def examine(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    *,
    hosts: Annotated[
        bool,
        typer.Option("--hosts", help="List the hosts to let through a firewall; ask nothing."),
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="When records began to be missed: 2026-11-24T10:00Z, or 90m, 36h, 7d ago.",
        ),
    ] = "",
    send: Annotated[
        bool, typer.Option("--send", help="Send each sink one marked record, as `sink test` does.")
    ] = False,
) -> None:
    """Say what keeps records from arriving, in the order a person would look, and how to mend it.

    Takes no message, writes nothing and changes nothing; ends within half a minute. Each finding
    has an id, explained in docs/doctor.md. Exits with 1 if any is an error, else with 0.
    """
    asked = _moment(since)
    if hosts:
        _list_hosts(settings.load(ctx.obj.config), source, as_json=as_json)
        return
    try:
        found = host.beside(quiet(settings.load(ctx.obj.config)))
    except ConfigError as error:
        _tell([Told("", each) for each in unusable(error)], as_json=as_json)
        raise typer.Exit(Exit.NO) from None
    wiring.configure(found)
    names = [wiring.known(source)] if source else list(found.sources)
    with _progress() as looking:
        told = list(doctor.examine(Shared(found, since=asked, send=send), names, looking))
    _tell(told, as_json=as_json)
    raise typer.Exit(Exit.NO if _first(told) else Exit.DONE)


def _list_hosts(found: Settings, source: str, *, as_json: bool) -> None:
    wiring.configure(found)
    names = [wiring.known(source)] if source else list(found.sources)
    rows = doctor.hosts.rows(Shared(found), names)
    if as_json:
        output.say_json({"hosts": rows})
        return
    told = [
        (row.host, str(row.port), row.by, f"{row.why}{row.proxy and f', through {row.proxy}'}")
        for row in rows
    ]
    for line in output.columns([("host", "port", "needed by", "for"), *told]):
        output.say(line)


def _moment(text: str) -> datetime | None:
    """The moment *text* means: a time, or so long ago."""
    if not text:
        return None
    if ago := re.fullmatch(r"(\d{1,4})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        example = "2026-11-24T10:00Z is a time, and so is 36h, for 36 hours ago"
        raise typer.BadParameter(f"--since {text}: {example}") from None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


@contextmanager
def _progress() -> Iterator[doctor.Looking]:
    """Say on a terminal what is being looked at; elsewhere the answer is all there is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("looking") as status:
        yield lambda what: status.update(f"looking at {what}")


def _first(told: Sequence[Told]) -> str | None:
    """The id of the first error: what to mend first."""
    return next((each.finding.id for each in told if each.finding.level == "error"), None)


def _tell(told: Sequence[Told], *, as_json: bool) -> None:
    count = Counter(each.finding.level for each in told)
    if as_json:
        findings = [
            {"source": each.source, "level": finding.level, "id": finding.id}
            | {"text": finding.text, "fix": finding.fix}
            for each in told
            for finding in [each.finding]
        ]
        sums = {"errors": count["error"], "warnings": count["warning"]}
        sums |= {"unproved": count["unproved"], "ok": count["ok"]}
        output.say_json({"first": _first(told), **sums, "findings": findings})
        return
    console = Console(soft_wrap=True, highlight=False)
    source = ""
    for each in told:
        if each.source != source:
            source = each.source
            console.print(Text(source, style="bold"))
        for line in _lines(each.finding):
            console.print(line)
    console.print(Text(_summary(told, count)))


def _lines(finding: doctor.Finding) -> Iterator[Text]:
    head = Text.assemble(
        (f"  {finding.level:<9} ", STYLES[finding.level]), (f"{finding.id}  ", "bold")
    )
    yield head + Text(printable(finding.text))
    if finding.fix:
        yield Text(f"{'':19}{printable(finding.fix)}", style="dim")


def _summary(told: Sequence[Told], count: Counter[doctor.Level]) -> str:
    first = _first(told)
    if first:
        errors = f"{count['error']} error{'s' if count['error'] > 1 else ''}"
        return f"{errors}; begin with {first} (docs/doctor.md explains each id)."
    levels: tuple[doctor.Level, ...] = ("warning", "unproved")
    rest = [f"{count[level]} {level}" for level in levels if count[level]]
    return "; ".join(["Nothing stands in the way", *rest]) + "."
