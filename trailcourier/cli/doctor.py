"""``trailcourier doctor``: what keeps records from arriving, and what to do about it."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from trailcourier import doctor, settings
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.moments import parse_since
from trailcourier.cli.output import AsJson
from trailcourier.cli.sources import configure, quiet
from trailcourier.doctor import ReportedFinding, Shared, firewall
from trailcourier.doctor.configuration import unusable
from trailcourier.errors import ConfigError
from trailcourier.host import launch
from trailcourier.settings import Settings
from trailcourier.text import printable

app = typer.Typer()

STYLES = {"ok": "green", "not-checked": "cyan", "warning": "yellow", "error": "bold red"}
MissingSince = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="When records began to be missing: 2026-11-24T10:00Z, or 90m, 36h, 7d ago.",
    ),
]
LentProfile = Annotated[
    str,
    typer.Option(
        "--profile",
        "--admin-profile",
        metavar="NAME",
        help="An AWS profile that looks at the AWS side where AWS denies the source.",
    ),
]


@app.command(name="doctor")
def examine(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--source", help="Check only this source.")] = "",
    as_json: AsJson = False,
    *,
    hosts: Annotated[
        bool,
        typer.Option("--hosts", help="List the hosts to allow in a firewall, without connecting."),
    ] = False,
    since: MissingSince = "",
    profile: LentProfile = "",
    send: Annotated[
        bool, typer.Option("--send", help="Send each sink one marked record, as `sink test` does.")
    ] = False,
) -> None:
    """Find what keeps records from arriving, and say how to repair it.

    Receives no message and changes nothing; ends within half a minute. docs/doctor.md explains each
    finding's id. Exits with 1 if any finding is an error, else with 0.
    """
    began = parse_since(since)  # when records began to be missing
    if hosts:
        _list_hosts(settings.load(ctx.obj.config), source, as_json=as_json)
        return
    try:
        found = launch.with_running_broker(quiet(settings.load(ctx.obj.config)))
    except ConfigError as error:
        _print_findings([ReportedFinding("", each) for each in unusable(error)], as_json=as_json)
        raise typer.Exit(Exit.NO) from None
    names = configure(found, source)
    with output.progress(Console(stderr=True), math.inf) as show:  # on a terminal only
        shared = Shared(found, since=began, send=send, profile=profile)
        reported = list(doctor.examine(shared, names, lambda what: show(f"checking {what}")))
    _print_findings(reported, as_json=as_json)
    raise typer.Exit(Exit.NO if _first_error(reported) else Exit.DONE)


def _list_hosts(found: Settings, source: str, *, as_json: bool) -> None:
    rows = firewall.firewall_rows(Shared(found), configure(found, source))
    if as_json:
        output.say_json({"hosts": rows})
        return
    cells = [
        (row.host, str(row.port), row.by, f"{row.why}{row.proxy and f', through {row.proxy}'}")
        for row in rows
    ]
    output.say_lines(output.columns([("host", "port", "needed by", "for"), *cells]))


def _first_error(reported: Sequence[ReportedFinding]) -> str | None:
    """Return the id of the first error, which is to be repaired first; None without an error."""
    return next((each.finding.id for each in reported if each.finding.level == "error"), None)


def findings_json(reported: Sequence[ReportedFinding]) -> dict[str, object]:
    """Return what `doctor --json` prints."""
    count = Counter(each.finding.level for each in reported)
    findings = [
        {"source": each.source, "level": finding.level, "id": finding.id}
        | {"text": finding.text, "fix": finding.fix}
        for each in reported
        for finding in [each.finding]
    ]
    sums = {"errors": count["error"], "warnings": count["warning"]}
    sums |= {"not_checked": count["not-checked"], "ok": count["ok"]}
    return {"first": _first_error(reported), **sums, "findings": findings}


def _print_findings(reported: Sequence[ReportedFinding], *, as_json: bool) -> None:
    if as_json:
        output.say_json(findings_json(reported))
        return
    count = Counter(each.finding.level for each in reported)
    console = Console(soft_wrap=True, highlight=False)
    source = ""
    for each in reported:
        if each.source != source:
            source = each.source
            console.print(Text(source, style="bold"))
        for line in _lines(each.finding):
            console.print(line)
    console.print(Text(_summary(reported, count)))


def _lines(finding: doctor.Finding) -> Iterator[Text]:
    head = Text.assemble(
        (f"  {_words(finding.level):<12} ", STYLES[finding.level]), (f"{finding.id}  ", "bold")
    )
    yield head + Text(printable(finding.text))
    if finding.fix:
        yield Text(f"{'':22}{printable(finding.fix)}", style="dim")


def _summary(reported: Sequence[ReportedFinding], count: Counter[doctor.Level]) -> str:
    first = _first_error(reported)
    if first:
        errors = f"{count['error']} error{'s' if count['error'] > 1 else ''}"
        return f"{errors}; begin with {first} (docs/doctor.md explains each id)."
    levels: tuple[doctor.Level, ...] = ("warning", "not-checked")
    rest = [f"{count[level]} {_words(level)}" for level in levels if count[level]]
    more = any(each.finding.id == "TC004" for each in reported)
    remaining = " TC004 names the causes that remain possible." if more else ""
    return "; ".join(["No errors", *rest]) + f".{remaining}"


def _words(level: doctor.Level) -> str:
    """Return *level* as people read it."""
    return level.replace("-", " ")
