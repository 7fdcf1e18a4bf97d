"""``trailcourier quarantine``: list, show, retry and drop what was refused."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from trailcourier import wiring
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.sources import OneSource, selected
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.operations import retry
from trailcourier.reasons import REASONS, advice
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

SHORT = 12  # characters of an id; entries of one object in several contents share 24

UNKNOWN_REASON = "This version does not know the reason: use the version that refused it."


@app.command(name="list")
def list_entries(
    ctx: typer.Context,
    source: OneSource = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also list entries without details.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the entries of quarantine, the latest first.

    Messages refused for the same reason and from the same sender are one entry.
    """
    with selected(ctx, source) as names:
        found = _entries(names)
    if as_json:
        output.say_json([_as_json(*each) for each in found])
        return
    shown = [each for each in found if everything or not each[1].evicted]
    output.say_lines(output.columns([*_rows(shown)]) if shown else ["Nothing is in quarantine."])
    if left_out := len(found) - len(shown):
        output.say("")
        output.say(
            f"... and {left_out} more without details, because quarantine is full "
            "(`line.quarantine_entries`). `--all` lists them, `trailcourier quarantine retry "
            "--all` retries them with the others."
        )


@app.command()
def show(ctx: typer.Context, entry: Id, source: OneSource = "", as_json: AsJson = False) -> None:
    """Show all that is known of one entry, and what to do."""
    with selected(ctx, source) as names:
        name, found = _one(entry, names)
    if as_json:
        output.say_json(_as_json(name, found))
        return
    output.say_lines(_lines(name, found))


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


def _rows(found: Sequence[tuple[str, QuarantineEntry]]) -> Iterator[Sequence[str]]:
    ids = [entry.id for _, entry in found]
    yield "id", "source", "reason", "times", "last seen", "what"
    for name, entry in found:
        short, times = _short(entry.id, ids), str(entry.times)
        yield short, name, entry.reason, times, output.when(entry.last), entry.what


def _short(id_: str, ids: Sequence[str]) -> str:
    """Return the shortest prefix of an id that no other of *ids* has."""
    others = {each for each in ids if each != id_}
    lengths = range(SHORT, len(id_))
    return next(
        (id_[:n] for n in lengths if not any(other.startswith(id_[:n]) for other in others)), id_
    )


def _lines(name: str, entry: QuarantineEntry) -> Iterator[str]:
    reason = REASONS.get(entry.reason)
    yield f"{entry.id}  ({entry.kind} of source {name})"
    yield f"what:    {entry.what}"
    yield f"reason:  {entry.reason}. {reason.text if reason else ''}".rstrip()
    yield f"detail:  {entry.detail}"
    yield f"seen:    {entry.times} times, {output.when(entry.first)} to {output.when(entry.last)}"
    yield f"to do:   {reason.advice if reason else UNKNOWN_REASON}"
    if entry.messages:
        more = entry.messages_in_all - len(entry.messages)
        before = f" and {more} earlier" if more > 0 else ""
        yield f"queue:   message {', '.join(entry.messages)}{before}"
    for title, text in (("sender", entry.sender), ("topic", entry.topic), ("body", entry.body)):
        if text:
            yield f"{title + ':':8} {text}"
    if entry.confirm:
        yield f"command: {entry.confirm}"
    for sink, ordinal, words, event in entry.records:
        which = f" (eventID {event})" if event else ""
        yield f"record {ordinal}{which}, refused by {sink}: {words}"
    if entry.records_in_all > len(entry.records):
        yield f"... and {entry.records_in_all - len(entry.records)} more records"


def _as_json(name: str, entry: QuarantineEntry) -> dict[str, object]:
    return {"source": name, **msgspec.to_builtins(entry), "advice": advice(entry.reason)}
