"""``trailcourier quarantine``: what was refused and why, and carrying it again."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from trailcourier import retry, settings, wiring
from trailcourier.cli.exits import Exit
from trailcourier.dispositions import REASONS
from trailcourier.ledger.quarantine import Entry

app = typer.Typer(help="What was refused and why; carry it again, or forget it.")

Source = Annotated[str, typer.Option("--source", help="Only this source.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="An entry's id, or its beginning.")]


@app.command(name="list")
def list_entries(ctx: typer.Context, source: Source = "", as_json: AsJson = False) -> None:
    """List the refusals, the latest first."""
    found = [(name, each) for name in _sources(ctx, source) for each in _entries(name)]
    if as_json:
        sys.stdout.write(msgspec.json.encode([_told(*each) for each in found]).decode() + "\n")
        return
    if not found:
        print("Nothing is in quarantine.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "source", "reason", "times", "last", "what"):
        table.add_column(column, overflow="fold")
    for name, each in found:
        what = ascii(str(each.ref or f"message {each.message}"))[1:-1]
        table.add_row(each.id[:12], name, each.reason, str(each.times), _when(each.last), what)
    Console().print(table, markup=False)


@app.command()
def show(ctx: typer.Context, entry: Id, source: Source = "", as_json: AsJson = False) -> None:
    """Say all that is known of one refusal, and what to do."""
    name, found = _one(ctx, entry, source)
    if as_json:
        sys.stdout.write(msgspec.json.encode(_told(name, found)).decode() + "\n")
        return
    reason = REASONS[found.reason]
    print(f"{found.id}  ({found.kind} of source {name})")
    print(f"what:    {ascii(str(found.ref or f'message {found.message}'))[1:-1]}")
    print(f"reason:  {found.reason}. {reason.text}")
    print(f"detail:  {ascii(found.detail)[1:-1]}")
    print(f"seen:    {found.times} times, {_when(found.first)} to {_when(found.last)}")
    print(f"to do:   {reason.advice}")
    if found.confirm:
        print(f"command: {found.confirm}")
    for sink, ordinal, words in found.records:
        print(f"record {ordinal}, refused by {sink}: {ascii(words)[1:-1]}")
    if found.records_in_all > len(found.records):
        print(f"... and {found.records_in_all - len(found.records)} more records")


@app.command(name="retry")
def retry_entry(ctx: typer.Context, entry: Id, source: Source = "") -> None:
    """Carry a refused object again, here and now; the message need not exist any more.

    Exits with 0 if it was delivered, else with 1.
    """
    name, found = _one(ctx, entry, source)
    carried = retry.retry(wiring.line(name), found)
    print(carried.text)
    raise typer.Exit(Exit.DONE if carried.done else Exit.NO)


@app.command()
def drop(ctx: typer.Context, entry: Id, source: Source = "") -> None:
    """Forget a refusal: the entry goes, never a message.

    If its message is still in the queue, it is read again when it comes.
    """
    name, found = _one(ctx, entry, source)
    wiring.ledger(name).quarantine.drop(found.id)
    print(f"Dropped {found.id}.")


def _sources(ctx: typer.Context, source: str) -> list[str]:
    wiring.configure(settings.load(ctx.obj.config))
    wiring.demand_broker()
    return [wiring.known(source)] if source else list(wiring.settings().sources)


def _entries(name: str) -> list[Entry]:
    return wiring.ledger(name).quarantine.entries()


def _one(ctx: typer.Context, entry: str, source: str) -> tuple[str, Entry]:
    names = _sources(ctx, source)
    found = [(name, e) for name in names for e in _entries(name) if e.id.startswith(entry)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise typer.BadParameter(f"no entry {entry!r}; see `trailcourier quarantine list`")
    raise typer.BadParameter(f"{len(found)} entries begin with {entry!r}; give more of the id")


def _told(name: str, entry: Entry) -> dict[str, object]:
    return {"source": name, **msgspec.to_builtins(entry), "advice": REASONS[entry.reason].advice}


def _when(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
