"""``trailcourier run``: run a whole fleet on one host, until stopped or until drained."""

import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, BinaryIO, cast

import typer
from rich.console import Console

from trailcourier import settings, wiring
from trailcourier.cli import drain_words, output
from trailcourier.cli.exits import Exit
from trailcourier.errors import Unreachable
from trailcourier.host import launch
from trailcourier.operations.drain import Drained, DrainResult, Progress, drain
from trailcourier.settings import Settings
from trailcourier.text import printable

app = typer.Typer()


class LogFormat(StrEnum):
    """The formats of the log."""

    json = "json"
    console = "console"


# seconds; a long poll of 1 s queries all servers of a queue, as one of 20 s does
DRAIN_WAIT = 1
REPORT_INTERVAL = 10.0  # seconds between two lines of progress if stderr is no terminal
REFUSED_LISTED = 20  # entries

console = Console(stderr=True, soft_wrap=True, highlight=False)


@app.command()
def run(
    ctx: typer.Context,
    *,
    until_empty: Annotated[
        bool,
        typer.Option(
            "--drain", help="Stop once the queues are empty and every message is settled."
        ),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            min=0, help="With --drain: seconds to wait for a source that makes no progress."
        ),
    ] = 300,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --drain: exit 1 if anything was refused.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --drain: print the summary as one JSON object.")
    ] = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="The format of the log, instead of `workers.log_format`."),
    ] = None,
) -> None:
    """Run a whole fleet on this host: control and object workers, beat, and a broker if needed.

    Standard output has only what a stdout sink writes, or the --json summary; all else goes to
    standard error. SIGTERM stops it cleanly, a second one at once.
    """
    if not until_empty and (strict or as_json):
        raise typer.BadParameter("--strict and --json need --drain")
    found, more = _with_log_format(settings.load(ctx.obj.config), log_format)
    if not until_empty:
        with launch.running(found, say=_say, more=more) as running:
            _say(f"running {', '.join(found.sources)}; stop with Ctrl-C")
            running.fleet.stopping.wait()
        return
    raise typer.Exit(_until_empty(found, more, timeout, strict=strict, as_json=as_json))


def _until_empty(
    found: Settings, more: dict[str, str], timeout: float, *, strict: bool, as_json: bool
) -> Exit:
    """Drain, report the result, and return the exit status."""
    if as_json:
        _keep_stdout_free(found)
    result = _drain(found, more, timeout)
    if as_json:
        output.say_json(result)
    else:
        for line in _summary(result):
            _say(line)
    if result.why:
        raise Unreachable(
            f"{result.why} Nothing is lost: what was not delivered is still in the queue."
        )
    refused = any(each.refused for each in result.sources)
    return Exit.NO if strict and refused else Exit.DONE


def _keep_stdout_free(found: Settings) -> None:
    used = {name for source in found.sources.values() for name in source.sinks}
    for name, sink in found.sinks.items():
        if name in used and sink.type == "stdout":
            raise typer.BadParameter(
                f"--json and the sink {name!r} both write to standard output; leave out --json"
            )


def _drain(found: Settings, more: dict[str, str], timeout: float) -> DrainResult:
    unwatched = found.workers.model_copy(
        update={"metrics_port": 0}
    )  # a drain ends too soon to be scraped
    found = found.model_copy(update={"workers": unwatched})
    more["TRAILCOURIER_LINE__RECEIVE_WAIT"] = str(min(DRAIN_WAIT, found.line.receive_wait) or 1)
    if console.is_terminal and "log_level" not in found.workers.model_fields_set:
        more["TRAILCOURIER_WORKERS__LOG_LEVEL"] = "warning"  # the progress line shows the rest
    log = _LogAboveProgress() if console.is_terminal else None
    with (
        output.progress(console, REPORT_INTERVAL) as show,
        launch.running(found, say=_say, more=more, log=cast("BinaryIO", log)) as running,
        wiring.answering(),
    ):
        return drain(
            [wiring.ledger(name) for name in found.sources],
            timeout=timeout,
            stopping=running.fleet.stopping,
            watched=lambda sources: show(_progress_line(sources)),
        )


def _with_log_format(found: Settings, style: LogFormat | None) -> tuple[Settings, dict[str, str]]:
    """Choose the log format: *style*, or console if standard error is a terminal.

    Returns the settings of this process, and the environment variables for the fleet, which cannot
    see the terminal: it writes into a pipe of this process.
    """
    if style is None and found.workers.log_format == "auto" and console.is_terminal:
        style = LogFormat.console
    if style is None:
        return found, {}
    workers = found.workers.model_copy(update={"log_format": style.value})
    environment = {"TRAILCOURIER_WORKERS__LOG_FORMAT": style.value}
    return found.model_copy(update={"workers": workers}), environment


def _progress_line(sources: Sequence[Progress]) -> str:
    return "; ".join(
        f"{each.source}: {each.delivered:,} delivered, {each.in_flight:,} in flight, "
        f"{each.parked:,} parked{f', {each.left:,} hidden in SQS' * bool(each.left)}"
        for each in sources
    )


class _LogAboveProgress(io.RawIOBase):
    """Writes the fleet's log above the line of progress."""

    def write(self, data: Any) -> int:
        console.print(bytes(data).decode(errors="replace").rstrip("\n"), markup=False)
        return len(data)


def _summary(result: DrainResult) -> Iterator[str]:
    for each in result.sources:
        yield from (f"{each.source}: {line}" for line in drain_words.lines(each))
        yield from _refusals(each)
    if not result.why and not all(each.drained for each in result.sources):
        yield "stopped before all was delivered; what is left is still in the queue: run it again"


def _refusals(each: Drained) -> Iterator[str]:
    for entry in each.refused[:REFUSED_LISTED]:
        yield f"{each.source}: refused {entry.what}: {entry.reason} ({entry.id})"
    if (more := len(each.refused) - REFUSED_LISTED) > 0:
        yield f"{each.source}: refused {more} more; --json lists them all"


def _say(text: str) -> None:
    console.print(f"trailcourier: {printable(text)}", markup=False)
