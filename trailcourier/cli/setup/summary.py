"""The last lines of ``setup apply``: where the source is, whether it works, what to run next."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from trailcourier import settings
from trailcourier.cli.setup import report
from trailcourier.cli.setup.liveness import Liveness
from trailcourier.cli.setup.result import ApplyOptions, ApplyResult
from trailcourier.provision import Layout, configuration
from trailcourier.provision.manual_steps import list_manual_steps


def lines(layout: Layout, result: ApplyResult, options: ApplyOptions) -> Iterator[str]:
    yield from report.format_manual_steps(list_manual_steps(layout))
    yield ""
    if result.written:
        yield f"configuration: {result.written}"
    else:
        yield "add this source to trailcourier.toml (--write FILE adds it for you):"
        yield ""
        yield from result.configuration.rstrip("\n").split("\n")
        yield ""
    if configuration.ARCHIVE in result.configuration:
        yield "records go to files below events/, in the folder that the collector is started in;"
        yield "  change [sinks.archive] for another folder or a SIEM (docs/settings.md)"
    yield from (f"not valid: {each}" for each in result.problems)
    if not result.problems:
        yield "valid: the configuration has no errors"
    yield from (f"warning: {each}" for each in result.warnings)
    yield from _liveness_lines(result.live)
    yield report.format_totals(result.steps)
    if names := result.environment:
        yield f"next: export {' '.join(f'{each}=...' for each in names)} with the access key above"
    if result.good:
        yield _next_command(options.write, settings.find())


def _liveness_lines(live: Liveness) -> Iterator[str]:
    """Yield doctor's findings, and whether records come: "live" only if one log file was read."""
    for each in live.findings:
        yield f"{each.level} {each.id}: {each.text}"
        yield f"  {each.fix}"
    if not live.good:
        yield f"not live: {live.summary}"
    elif live.proved:
        yield f"live: {live.summary}"
    else:
        yield f"ready: {live.summary}"
        yield (
            "no log file was read yet: once one is there, `trailcourier doctor` reads it; "
            "`trailcourier setup apply --wait 1200` waits for it"
        )


def _next_command(written: Path | None, found: Path | None) -> str:
    """Return how to start the collector; *found* is the configuration it reads by default."""
    if written is None:
        return (
            f"next: add the tables above to {found or 'trailcourier.toml'}, then trailcourier run"
        )
    if found and found.absolute() == written.absolute():
        return "next: trailcourier run"
    return f"next: trailcourier run --config {shlex.quote(str(written))}"
