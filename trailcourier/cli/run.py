"""``trailcourier run``: all of it on one host, for good or until the queues are drained."""

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.status import Status

from trailcourier import host, settings, wiring
from trailcourier.cli.exits import Exit
from trailcourier.drain import Drained, Progress, drain

app = typer.Typer()

DRAIN_WAIT = 3  # seconds of a long poll while draining; two that bring nothing end it


@app.command()
def run(
    ctx: typer.Context,
    until_empty: Annotated[
        bool, typer.Option("--drain", help="Stop once the queues are empty and all is settled.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(help="With --drain: seconds that what cannot be carried may hold it up."),
    ] = 300,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --drain: exit 1 if anything was refused.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --drain: print the summary as one JSON object.")
    ] = False,
) -> None:
    """Run a whole fleet on this host: control worker, object workers, beat, and a broker if need be.

    Standard output carries only what a stdout sink writes and the --json summary; all else goes to
    standard error. SIGTERM stops it cleanly, a second one at once.
    """
    found = settings.load(ctx.obj.config)
    if until_empty:
        wait = min(DRAIN_WAIT, found.line.receive_wait) or 1
        drained = _drain(found, wait, timeout)
        _tell(drained, as_json)
        refused = any(each.refused for each in drained)
        raise typer.Exit(Exit.NO if strict and refused else Exit.DONE)
    with host.running(found, say=_say) as running:
        _say(f"running {', '.join(found.sources)}; stop with Ctrl-C")
        running.fleet.stopping.wait()


def _drain(found: settings.Settings, wait: int, timeout: float) -> list[Drained]:
    more = {"TRAILCOURIER_LINE__RECEIVE_WAIT": str(wait)}
    console = Console(stderr=True)
    with host.running(found, say=_say, more=more) as running, console.status("starting") as shown:
        ledgers = [wiring.ledger(name) for name in found.sources]
        return drain(
            ledgers,
            timeout=timeout,
            stopping=running.fleet.stopping,
            watched=lambda looks: _show(shown, looks),
        )


def _show(shown: Status, looks: Sequence[Progress]) -> None:
    shown.update(
        "; ".join(
            f"{look.source}: {look.delivered} delivered, {look.in_flight} in flight, "
            f"{look.parked} parked"
            for look in looks
        )
    )


def _tell(drained: Sequence[Drained], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode({"sources": drained}).decode() + "\n")
        sys.stdout.flush()
        return
    for each in drained:
        objects = {
            name.removeprefix("objects:"): by
            for name, by in sorted(each.sums.items())
            if name.startswith("objects:")
        }
        told = ", ".join(f"{by} {name}" for name, by in objects.items()) or "nothing to carry"
        _say(f"{each.source}: {told}; {each.sums.get('records:in', 0)} records read")
        for entry in each.refused:
            what = ascii(str(entry.ref or f"message {entry.message}"))[1:-1]
            _say(f"{each.source}: refused {what}: {entry.reason} ({entry.id[:12]})")


def _say(text: str) -> None:
    print(f"trailcourier: {text}", file=sys.stderr)
