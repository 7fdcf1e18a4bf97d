"""``trailcourier dlq``: list the messages of the dead-letter queues, and move them back."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated

import redis
import typer
from rich.console import Console

from trailcourier import settings, wiring
from trailcourier.aws.dead_letters import DeadLetters
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.cli.sources import OneSource, configure, quiet
from trailcourier.errors import ConfigError
from trailcourier.host import launch
from trailcourier.host.signals import stop_event
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.operations import redrive as operation
from trailcourier.operations.redrive import DeadLetterListing, ListedMessage, RedriveResult
from trailcourier.text import age
from trailcourier.wiring import lines

app = typer.Typer(help="List the messages of the dead-letter queues, and move them back.")

Named = Annotated[
    str,
    typer.Option(
        "--dlq",
        metavar="URL",
        help="The dead-letter queue, where AWS denies reading the redrive policy.",
    ),
]

REPORT_INTERVAL = 5.0  # seconds between two lines of progress if stderr is no terminal

DENIED = "(if AWS denies it, allow sqs:SendMessage on the source's queue; else try later)"


@app.command(name="list")
def list_messages(
    ctx: typer.Context,
    source: OneSource = "",
    dlq: Named = "",
    peek: Annotated[
        int, typer.Option(min=0, max=100, help="How many messages of each queue to read.")
    ] = 10,
    *,
    as_json: AsJson = False,
) -> None:
    """List how many messages each source's dead-letter queue has, and why some of them are there.

    Reading a message receives it: for a moment no other consumer can receive it, and its receive
    count grows by one. --peek 0 receives none.
    """
    with _selected(ctx, source, dlq) as names:
        found = [_list_one(name, dlq, peek) for name in names]
    if as_json:
        output.say_json({"sources": found})
        return
    for each in found:
        output.say_lines(_lines(each))


@app.command()
def redrive(
    ctx: typer.Context,
    source: OneSource = "",
    dlq: Named = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Move at most this many messages of each queue.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move messages from the dead-letter queues back, after the cause was repaired.

    SQS moves them by a message move task, and Ctrl-C cancels it. With --limit, where other queues
    share the dead-letter queue, and where SQS cannot run such a task, this command receives, sends
    and deletes them itself. Exits with 1 if some could not be moved.
    """
    if as_json and not yes:
        raise typer.BadParameter("--json cannot ask for confirmation: add --yes")
    with _selected(ctx, source, dlq) as names:
        dead = {name: _dead(name, dlq) for name in names}
        if not yes and any(dead.values()) and not _confirmed(dead, limit):
            raise typer.Exit(Exit.NO)
        with stop_event() as stopping:
            results = [_redrive_one(name, each, limit, stopping) for name, each in dead.items()]
    if as_json:
        output.say_json({"sources": results})
    else:
        for each in results:
            output.say(_outcome(each))
    raise typer.Exit(Exit.DONE if all(each.good for each in results) else Exit.NO)


@contextmanager
def _selected(ctx: typer.Context, source: str, dlq: str) -> Iterator[list[str]]:
    """Yield the sources of the command; the broker may be away, as SQS has what matters most."""
    with ExitStack() as stack:
        found = stack.enter_context(launch.with_broker(quiet(settings.load(ctx.obj.config))))
        names = configure(found, source)
        if dlq and len(names) > 1:
            raise typer.BadParameter("--dlq belongs to one source: name it with --source")
        yield names


def _list_one(name: str, dlq: str, most: int) -> DeadLetterListing:
    entries, note = _entries(name)
    found = operation.list_messages(name, _dead(name, dlq), entries, most=most)
    return operation.with_note(found, note)


def _dead(name: str, dlq: str) -> DeadLetters | None:
    try:
        return lines.open_dead_letters(name, dlq)
    except ValueError as error:
        raise typer.BadParameter(f"--dlq {error}") from error


def _entries(name: str) -> tuple[Sequence[QuarantineEntry], str]:
    """Return the quarantine entries of *name*, and a note if they could not be read."""
    try:
        return wiring.ledger(name).quarantine.entries(), ""
    except (redis.RedisError, ConfigError) as error:
        return (), f"quarantine could not be read, so reasons are missing: {error}"


def _lines(each: DeadLetterListing) -> Iterator[str]:
    if not each.queue:
        yield f"{each.source}: no dead-letter queue: {each.note}"
        return
    waiting = "?" if each.waiting is None else f"{each.waiting:,}"
    received = f", {each.in_flight:,} received by a consumer just now" if each.in_flight else ""
    yield f"{each.source}: {waiting} in {each.queue}{received}"
    if each.messages:
        yield f"  {len(each.messages)} of them (listing them added 1 to their receive counts):"
        rows = [("id", "sent", "receives", "reason", "what"), *map(_row, each.messages)]
        yield from (f"  {line}" for line in output.columns(rows))
    if each.note:
        yield f"  {each.note}"
    if each.waiting:
        yield f"  after the cause is repaired: trailcourier dlq redrive --source {each.source}"


def _row(message: ListedMessage) -> tuple[str, ...]:
    since = age(time.time() - message.sent / 1000) if message.sent else "-"
    what = ", ".join(message.what) or message.detail
    if not message.ours:
        what = f"(from another queue) {what}"
    return message.id, f"{since} ago", str(message.receives), message.reason or "-", what


def _confirmed(dead: dict[str, DeadLetters | None], limit: int | None) -> bool:
    """Ask for confirmation; without an answer it is not given."""
    for name, each in dead.items():
        if each is not None:
            waiting = each.contents().waiting
            count = "an unknown number of" if waiting is None else f"{waiting:,}"
            output.say(f"{name}: {count} messages in {each.address.url}")
    most = "" if limit is None else f"up to {limit:,} of "
    confirmed = output.confirm(f"Move {most}them back to their source's queue?")
    if not confirmed:
        output.say("Nothing was moved. Use --yes to move without confirmation.")
    return confirmed


def _redrive_one(
    name: str, dead: DeadLetters | None, limit: int | None, stopping: threading.Event
) -> RedriveResult:
    if dead is None:
        return RedriveResult(name, "", note="the queue has no redrive policy")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with output.progress(console, REPORT_INTERVAL) as show:

        def watched(moved: int, of: int | None) -> None:
            show(f"{name}: {moved:,}{'' if of is None else f' of {of:,}'} moved")

        return operation.redrive(name, dead, most=limit, stopping=stopping, watched=watched)


def _outcome(each: RedriveResult) -> str:
    if not each.queue:
        return f"{each.source}: no dead-letter queue: {each.note}"
    how = "by SQS" if each.way == "move-task" else "received, sent and deleted by this command"
    parts = [f"{each.moved:,} moved ({how}{f': {each.note}' if each.note else ''})"]
    if each.failed:
        codes = ", ".join(sorted(set(each.failed.values())))
        parts.append(
            f"{len(each.failed):,} could not be moved and are still there: {codes} {DENIED}"
        )
    if each.doubled:
        ids = ", ".join(list(each.doubled)[:5])
        parts.append(
            f"{len(each.doubled):,} are in both queues, because SQS did not delete them from the "
            f"dead-letter queue (objects that are delivered by then are skipped): {ids}"
        )
    if each.others:
        parts.append(f"{each.others:,} from other queues were not moved")
    if each.stopped:
        parts.append("stopped before the end; run it again to continue")
    return f"{each.source}: {'; '.join(parts)}"
