"""``trailcourier quarantine``: what was refused and why, and carrying it again."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from trailcourier import retry, wiring
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.sources import asked
from trailcourier.dispositions import REASONS, advice
from trailcourier.ledger.quarantine import Entry
from trailcourier.wiring import lines

app = typer.Typer(help="What was refused and why; carry it again, or forget it.")

Source = Annotated[str, typer.Option("--source", help="Only this source.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="An entry's id, or its beginning.")]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Ids of entries, or their beginnings.")
]
Reason = Annotated[str, typer.Option(metavar="REASON", help="All that were refused for it.")]

SHORT = 12  # characters of an id; entries of one object in several contents share 24


@app.command(name="list")
def list_entries(
    ctx: typer.Context,
    source: Source = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Also those for whose details there was no room.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the refusals, the latest first.

    Messages that are refused alike, for the same reason and from the same place, are one entry.
    """
    with asked(ctx, source) as names:
        found = _entries(names)
    if as_json:
        output.say_json([_told(*each) for each in found])
        return
    shown = [each for each in found if everything or not each[1].evicted]
    for line in output.columns([*_rows(shown)]) if shown else ["Nothing is in quarantine."]:
        output.say(line)
    if left_out := len(found) - len(shown):
        output.say("")
        output.say(
            f"... and {left_out} more, for whose details there was no room "
            "(`line.quarantine_entries`). `--all` lists them, `trailcourier quarantine retry "
            "--all` carries them again with the others."
        )


@app.command()
def show(ctx: typer.Context, entry: Id, source: Source = "", as_json: AsJson = False) -> None:
    """Say all that is known of one refusal, and what to do."""
    with asked(ctx, source) as names:
        name, found = _one(entry, names)
    if as_json:
        output.say_json(_told(name, found))
        return
    for line in _lines(name, found):
        output.say(line)


@app.command(name="retry")
def retry_entries(
    ctx: typer.Context,
    entries: Ids = None,
    source: Source = "",
    reason: Reason = "",
    everything: Annotated[bool, typer.Option("--all", help="All that were refused.")] = False,
) -> None:
    """Carry refused objects again, here and now; the messages need not exist any more.

    With --reason and --all, also those for whose details quarantine had no room. Exits with 0 if
    nothing of them is left to carry, else with 1.
    """
    if [bool(entries), bool(reason), everything].count(True) != 1:
        raise typer.BadParameter("say which: ids, --reason, or --all")
    with asked(ctx, source) as names:
        found = [_one(each, names) for each in entries or ()] or _refused(names, reason)
        done = [_carried(name, entry) for name, entry in found]
    if not done:
        output.say("No refused object is in quarantine.")
    raise typer.Exit(Exit.DONE if all(done) else Exit.NO)


def _carried(name: str, entry: Entry) -> bool:
    carried = retry.retry(lines.line(name), entry)
    output.say(carried.text)
    return carried.done


def _refused(names: Sequence[str], reason: str) -> list[tuple[str, Entry]]:
    """Every object refused for *reason*, or for any if it is empty, the first one first.

    A message that was not understood names no object to carry.
    """
    found = [
        each
        for each in reversed(_entries(names))
        if each[1].reason == reason or (not reason and each[1].kind == "object")
    ]
    if not found and reason:
        raise typer.BadParameter(
            f"nothing refused as {reason!r}; see `trailcourier quarantine list`"
        )
    return found


@app.command()
def drop(ctx: typer.Context, entry: Id, source: Source = "") -> None:
    """Forget a refusal: the entry goes, never a message.

    If its message is still in the queue, it is read again when it comes.
    """
    with asked(ctx, source) as names:
        name, found = _one(entry, names)
        wiring.ledger(name).quarantine.drop(found.id)
    output.say(f"Dropped {found.id}.")


def _entries(names: Sequence[str]) -> list[tuple[str, Entry]]:
    found = [(name, entry) for name in names for entry in wiring.ledger(name).quarantine.entries()]
    return sorted(found, key=lambda each: each[1].last, reverse=True)


def _one(given: str, names: Sequence[str]) -> tuple[str, Entry]:
    """The one entry whose id is *given* or, if there is none, begins with it."""
    entries = [each for each in _entries(names) if each[1].id.startswith(given)]
    found = [each for each in entries if each[1].id == given] or entries
    if len(found) == 1:
        return found[0]
    if not found:
        raise typer.BadParameter(f"no entry {given!r}; see `trailcourier quarantine list`")
    raise typer.BadParameter(
        f"{len(found)} entries begin with {given!r}; give more of the id, or --source"
    )


def _rows(found: Sequence[tuple[str, Entry]]) -> Iterator[Sequence[str]]:
    ids = [entry.id for _, entry in found]
    yield "id", "source", "reason", "times", "last seen", "what"
    for name, entry in found:
        short, times = _short(entry.id, ids), str(entry.times)
        yield short, name, entry.reason, times, output.when(entry.last), entry.what


def _short(id_: str, ids: Sequence[str]) -> str:
    """As much of an id as tells it from the others."""
    others = {each for each in ids if each != id_}
    lengths = range(SHORT, len(id_))
    return next(
        (id_[:n] for n in lengths if not any(other.startswith(id_[:n]) for other in others)), id_
    )


def _lines(name: str, entry: Entry) -> Iterator[str]:
    reason = REASONS.get(entry.reason)
    yield f"{entry.id}  ({entry.kind} of source {name})"
    yield f"what:    {entry.what}"
    yield f"reason:  {entry.reason}. {reason.text if reason else ''}".rstrip()
    yield f"detail:  {entry.detail}"
    yield f"seen:    {entry.times} times, {output.when(entry.first)} to {output.when(entry.last)}"
    yield f"to do:   {reason.advice if reason else 'Ask with the version that refused it.'}"
    if entry.messages:
        more = entry.messages_in_all - len(entry.messages)
        before = f" and {more} before" if more > 0 else ""
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


def _told(name: str, entry: Entry) -> dict[str, object]:
    return {"source": name, **msgspec.to_builtins(entry), "advice": advice(entry.reason)}
