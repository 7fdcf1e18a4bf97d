"""The last lines of ``setup apply``: saved, valid, live, and what comes next."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from trailcourier import settings
from trailcourier.cli.setup import telling
from trailcourier.cli.setup.result import Result, Wanted
from trailcourier.provision import Layout, configuration
from trailcourier.provision.elsewhere import elsewhere


def lines(layout: Layout, result: Result, wanted: Wanted) -> Iterator[str]:
    """The configuration, whether it is valid and live, and what comes next."""
    yield from telling.others(elsewhere(layout))
    yield ""
    if result.written:
        yield f"saved: {result.written}"
    else:
        yield "the source, to add to trailcourier.toml (or have it written: --write FILE):"
        yield ""
        yield from result.configuration.rstrip("\n").split("\n")
        yield ""
    if configuration.ARCHIVE in result.configuration:
        yield "records go to files below events, in the folder it is started in; [sinks.archive]"
        yield "  says so, and can name another folder or a SIEM (docs/settings.md)"
    yield from (f"not valid: {each}" for each in result.problems)
    if not result.problems:
        yield "valid: nothing is wrong with it"
    yield from (f"warning: {each}" for each in result.warnings)
    yield f"live: {result.live.words}" if result.live.good else f"not live: {result.live.words}"
    yield telling.sum_of(result.steps)
    if result.good:
        yield _next(wanted.write, settings.find())


def _next(written: Path | None, found: Path | None) -> str:
    """How the collector is started with the source; *found* is the file it takes by itself."""
    if written is None:
        return f"next: with the tables above in {found or 'trailcourier.toml'}, trailcourier run"
    if found and found.absolute() == written.absolute():
        return "next: trailcourier run"
    return f"next: trailcourier run --config {shlex.quote(str(written))}"
