"""``trailcourier run``: all of it on one host, for good or until the queues are drained."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, BinaryIO, cast

import typer
from rich.console import Console

from trailcourier import host, settings, wiring
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.drain import Drained, Progress, Result, drain
from trailcourier.errors import Unreachable
from trailcourier.printable import printable
from trailcourier.settings import Settings

app = typer.Typer()


class LogFormat(StrEnum):
    """The ways to write a log."""

    json = "json"
    console = "console"


# seconds; a long poll of one asks all of a queue's servers, as one of twenty does
DRAIN_WAIT = 1
TELL = 10.0  # seconds between two lines of progress where no terminal shows it
REFUSED_TOLD = 20  # entries

console = Console(stderr=True, soft_wrap=True, highlight=False)


@app.command()
def run(
    ctx: typer.Context,
    *,
    until_empty: Annotated[
        bool, typer.Option("--drain", help="Stop once the queues are empty and all is settled.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(min=0, help="With --drain: seconds that what gets nowhere may hold it up."),
    ] = 300,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --drain: exit 1 if anything was refused.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --drain: print the summary as one JSON object.")
    ] = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="How the log is written; else `workers.log_format` decides."),
    ] = None,
) -> None:
    """Run a whole fleet on this host: control and object workers, beat, and a broker if need be.

    Standard output carries only what a stdout sink writes, or the --json summary; all else goes to
    standard error. SIGTERM stops it cleanly, a second one at once.
    """
    if not until_empty and (strict or as_json):
        raise typer.BadParameter("--strict and --json go with --drain")
    found, more = _written(settings.load(ctx.obj.config), log_format)
    if not until_empty:
        with host.running(found, say=_say, more=more) as running:
            _say(f"running {', '.join(found.sources)}; stop with Ctrl-C")
            running.fleet.stopping.wait()
        return
    raise typer.Exit(_until_empty(found, more, timeout, strict=strict, as_json=as_json))


def _until_empty(
    found: Settings, more: dict[str, str], timeout: float, *, strict: bool, as_json: bool
) -> Exit:
    """Drain, say what it came to, and answer with the exit status."""
    if as_json:
        _keep_stdout_free(found)
    result = _drain(found, more, timeout)
    if as_json:
        output.say_json(result)
    else:
        for line in _summary(result):
            _say(line)
    if result.why:
        raise Unreachable(f"{result.why} Nothing is lost: what is left is still in the queue.")
    refused = any(each.refused for each in result.sources)
    return Exit.NO if strict and refused else Exit.DONE


def _keep_stdout_free(found: Settings) -> None:
    used = {name for source in found.sources.values() for name in source.sinks}
    for name, sink in found.sinks.items():
        if name in used and sink.type == "stdout":
            raise typer.BadParameter(f"--json and the sink {name!r} both want standard output")


def _drain(found: Settings, more: dict[str, str], timeout: float) -> Result:
    unwatched = found.workers.model_copy(update={"metrics_port": 0})  # it is soon over
    found = found.model_copy(update={"workers": unwatched})
    more["TRAILCOURIER_LINE__RECEIVE_WAIT"] = str(min(DRAIN_WAIT, found.line.receive_wait) or 1)
    if console.is_terminal and "log_level" not in found.workers.model_fields_set:
        more["TRAILCOURIER_WORKERS__LOG_LEVEL"] = "warning"  # the progress says the rest
    log = _Above() if console.is_terminal else None
    with (
        _progress() as watched,
        host.running(found, say=_say, more=more, log=cast("BinaryIO", log)) as running,
        wiring.answering(),
    ):
        return drain(
            [wiring.ledger(name) for name in found.sources],
            timeout=timeout,
            stopping=running.fleet.stopping,
            watched=watched,
        )


def _written(found: Settings, style: LogFormat | None) -> tuple[Settings, dict[str, str]]:
    """Have all of us write the log in *style*, or for the terminal we have.

    The answer is our own settings, and what the fleet is told, which writes into a pipe of ours.
    """
    if style is None and found.workers.log_format == "auto" and console.is_terminal:
        style = LogFormat.console
    if style is None:
        return found, {}
    workers = found.workers.model_copy(update={"log_format": style.value})
    told = {"TRAILCOURIER_WORKERS__LOG_FORMAT": style.value}
    return found.model_copy(update={"workers": workers}), told


@contextmanager
def _progress() -> Iterator[Callable[[Sequence[Progress]], None]]:
    """Show how it goes: on a terminal in one line that changes, else in a line now and then."""
    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda looks: status.update(_told(looks))
        return
    told, at = "", time.monotonic()

    def tell(looks: Sequence[Progress]) -> None:
        nonlocal told, at
        now = _told(looks)
        if now != told and time.monotonic() - at > TELL:
            told, at = now, time.monotonic()
            _say(now)

    yield tell


def _told(looks: Sequence[Progress]) -> str:
    return "; ".join(
        f"{look.source}: {look.delivered:,} delivered, {look.in_flight:,} in flight, "
        f"{look.parked:,} parked{f', {look.left:,} left to the queue' * bool(look.left)}"
        for look in looks
    )


class _Above(io.RawIOBase):
    """Writes what the fleet says above the line of progress."""

    def write(self, data: Any) -> int:
        console.print(bytes(data).decode(errors="replace").rstrip("\n"), markup=False)
        return len(data)


def _summary(result: Result) -> Iterator[str]:
    for each in result.sources:
        objects = [f"{by:,} {name}" for name, by in each.objects.items() if by]
        told = f"{', '.join(objects)}; {each.records.get('in', 0):,} records read"
        yield f"{each.source}: {told if objects else 'nothing to carry'}"
        yield from _refusals(each)
    if not result.why and not all(each.drained for each in result.sources):
        yield "stopped before all was carried; what is left is still in the queue"


def _refusals(each: Drained) -> Iterator[str]:
    for entry in each.refused[:REFUSED_TOLD]:
        yield f"{each.source}: refused {entry.what}: {entry.reason} ({entry.id})"
    if (more := len(each.refused) - REFUSED_TOLD) > 0:
        yield f"{each.source}: refused {more} more; --json lists them all"


def _say(text: str) -> None:
    console.print(f"trailcourier: {printable(text)}", markup=False)
