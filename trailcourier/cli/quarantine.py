"""``trailcourier quarantine``: list, show, retry and drop what was refused."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from trailcourier import wiring
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.moments import parse_since
from trailcourier.cli.quarantine_view import as_json as entry_json
from trailcourier.cli.quarantine_view import entry_lines, rows
from trailcourier.cli.sources import OneSource, selected
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.operations import rejected, retry
from trailcourier.operations.rejected import RejectedEvents
from trailcourier.reasons import REASONS
from trailcourier.text import did_you_mean
from trailcourier.wiring import lines

app = typer.Typer(help="List what was refused and why; retry it, or drop its entry.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An entry's id, or its first characters.")]
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Ids of entries, or their first characters."),
]
Reason = Annotated[
    str, typer.Option(metavar="REASON", help="Every object refused for this reason.")
]


class EntryKind(StrEnum):
    """The kinds of entries."""

    object = "object"
    message = "message"


OnlyReason = Annotated[
    str, typer.Option("--reason", metavar="REASON", help="Only what was refused for this reason.")
]
OnlyKind = Annotated[
    EntryKind | None, typer.Option("--kind", help="Only entries of objects, or of messages.")
]
Since = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="Only what was refused since then: 2026-11-24T10:00Z, or 90m, 36h, 7d ago.",
    ),
]


@app.command(name="list")
def list_entries(
    ctx: typer.Context,
    source: OneSource = "",
    *,
    reason: OnlyReason = "",
    kind: OnlyKind = None,
    since: Since = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also list entries without details.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the entries of quarantine, the latest first: what was refused, why, since when.

    Messages refused for the same reason and from the same sender are one entry.
    """
    began = parse_since(since)
    with selected(ctx, source) as names:
        every = _entries(names)
    _demand_reason(reason, every)
    found = [each for each in every if _matches(each[1], reason, kind, began)]
    if as_json:
        output.say_json([entry_json(*each) for each in found])
        return
    shown = [each for each in found if everything or not each[1].evicted]
    nothing = "No entry of quarantine matches." if every else "Nothing is in quarantine."
    output.say_lines(output.columns(rows(shown)) if shown else [nothing])
    if left_out := len(found) - len(shown):
        output.say("")
        output.say(
            f"... and {left_out} more without details, because quarantine is full "
            "(`line.quarantine_entries`). `--all` lists them, `trailcourier quarantine retry "
            "--all` retries them with the others."
        )


def _matches(
    entry: QuarantineEntry, reason: str, kind: EntryKind | None, since: datetime | None
) -> bool:
    return (
        entry.reason == (reason or entry.reason)
        and entry.kind == (kind or entry.kind)
        and (since is None or entry.last >= since.timestamp() * 1000)
    )


def _demand_reason(reason: str, found: Sequence[tuple[str, QuarantineEntry]]) -> None:
    """Raise BadParameter for a reason that nobody knows."""
    known = {*REASONS, *(entry.reason for _, entry in found)}
    if reason and reason not in known:
        raise typer.BadParameter(f"there is no reason {reason!r}{did_you_mean(reason, known)}")


@app.command()
def show(
    ctx: typer.Context,
    entry: Id,
    source: OneSource = "",
    *,
    read: Annotated[
        bool,
        typer.Option(help="Read the object from S3 for the event names of rejected records."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one entry, and what to do.

    If a sink rejected records, the object is read for their event names, which the ledger does not
    keep; nothing is sent.
    """
    with selected(ctx, source) as names:
        name, found = _one(entry, names)
        events = _rejected(name, found, read=read)
    if as_json:
        output.say_json(entry_json(name, found, events))
        return
    output.say_lines(entry_lines(name, found, events))


def _rejected(name: str, entry: QuarantineEntry, *, read: bool) -> RejectedEvents:
    if read and entry.records:
        limits = wiring.settings().sources[name].limits
        return rejected.read_rejected(lines.open_observer(name), limits, entry)
    return rejected.without_names(entry)


@app.command(name="retry")
def retry_entries(
    ctx: typer.Context,
    entries: Ids = None,
    source: OneSource = "",
    reason: Reason = "",
    everything: Annotated[bool, typer.Option("--all", help="Every refused object.")] = False,
) -> None:
    """Forward refused objects again, in this process; their messages need not exist any more.

    --reason and --all include entries without details. Exits with 0 if all of them are delivered
    or need no delivery, else with 1.
    """
    if [bool(entries), bool(reason), everything].count(True) != 1:
        raise typer.BadParameter("name the entries by ids, by --reason, or with --all")
    with selected(ctx, source) as names:
        found = [_one(each, names) for each in entries or ()] or _refused(names, reason)
        done = [_retry_one(name, entry) for name, entry in found]
    if not done:
        output.say("No refused object is in quarantine.")
    raise typer.Exit(Exit.DONE if all(done) else Exit.NO)


def _retry_one(name: str, entry: QuarantineEntry) -> bool:
    result = retry.retry(lines.line(name), entry)
    output.say(result.text)
    return result.done


def _refused(names: Sequence[str], reason: str) -> list[tuple[str, QuarantineEntry]]:
    """Return every object refused for *reason*, or for any if it is empty, the first one first.

    A message that was not understood names no object to forward.
    """
    found = [
        each
        for each in reversed(_entries(names))
        if each[1].reason == reason or (not reason and each[1].kind == "object")
    ]
    if not found and reason:
        raise typer.BadParameter(
            f"nothing was refused as {reason!r}; see `trailcourier quarantine list`"
        )
    return found


@app.command()
def drop(ctx: typer.Context, entry: Id, source: OneSource = "") -> None:
    """Remove an entry from quarantine; the message in the queue stays.

    If SQS redelivers its message, the message is decoded and forwarded again.
    """
    with selected(ctx, source) as names:
        name, found = _one(entry, names)
        wiring.ledger(name).quarantine.drop(found.id)
    output.say(f"Dropped {found.id}.")


def _entries(names: Sequence[str]) -> list[tuple[str, QuarantineEntry]]:
    found = [(name, entry) for name in names for entry in wiring.ledger(name).quarantine.entries()]
    return sorted(found, key=lambda each: each[1].last, reverse=True)


def _one(given: str, names: Sequence[str]) -> tuple[str, QuarantineEntry]:
    """Return the one entry whose id is *given* or, if there is none, begins with it."""
    entries = [each for each in _entries(names) if each[1].id.startswith(given)]
    found = [each for each in entries if each[1].id == given] or entries
    if len(found) == 1:
        return found[0]
    if not found:
        raise typer.BadParameter(f"no entry {given!r}; see `trailcourier quarantine list`")
    raise typer.BadParameter(
        f"{len(found)} entries begin with {given!r}; give more of the id, or --source"
    )
