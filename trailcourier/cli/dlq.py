"""``trailcourier dlq``: what lies in the dead-letter queues, and moving it back."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated

import redis
import typer
from rich.console import Console

from trailcourier import host, settings, wiring
from trailcourier import redrive as operation
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.sources import quiet
from trailcourier.deadletters import DeadLetters
from trailcourier.errors import ConfigError
from trailcourier.fleet.signals import Signals
from trailcourier.ledger.quarantine import Entry
from trailcourier.printable import age
from trailcourier.redrive import Listed, Lying, Redriven
from trailcourier.wiring import lines

app = typer.Typer(help="Look into the dead-letter queues, and move what lies there back.")

Source = Annotated[str, typer.Option("--source", help="Only this source.")]
Named = Annotated[
    str,
    typer.Option(
        "--dlq", metavar="URL", help="The dead-letter queue, if the redrive policy may not be seen."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

TELL = 5.0  # seconds between two lines of progress where no terminal shows it


@app.command(name="list")
def list_messages(
    ctx: typer.Context,
    source: Source = "",
    dlq: Named = "",
    peek: Annotated[
        int, typer.Option(min=0, max=100, help="How many messages of each queue to look at.")
    ] = 10,
    *,
    as_json: AsJson = False,
) -> None:
    """Say how many messages lie in each source's dead-letter queue, and why some of them do.

    To look at a message is to receive it: nobody else gets it for a moment, and its receive count
    there grows by one. --peek 0 receives none.
    """
    with _asked(ctx, source, dlq) as names:
        found = [_listed(name, dlq, peek) for name in names]
    if as_json:
        output.say_json({"sources": found})
        return
    for each in found:
        for line in _lines(each):
            output.say(line)


@app.command()
def redrive(
    ctx: typer.Context,
    source: Source = "",
    dlq: Named = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Move so many messages of each queue, at most.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move messages from the dead-letter queues back, once what was wrong with them is repaired.

    SQS moves them itself, and Ctrl-C stops it. Where it does not, with --limit, and where other
    queues share the dead-letter queue, they are received, sent and deleted from here. Exits with 1
    if some could not be moved.
    """
    if as_json and not yes:
        raise typer.BadParameter("--json: nobody is asked, so say --yes with it")
    with _asked(ctx, source, dlq) as names:
        dead = {name: _dead(name, dlq) for name in names}
        if not yes and any(dead.values()) and not _sure(dead, limit):
            raise typer.Exit(Exit.NO)
        with _stopping() as stopping:
            told = [_redriven(name, each, limit, stopping) for name, each in dead.items()]
    if as_json:
        output.say_json({"sources": told})
    else:
        for each in told:
            output.say(_outcome(each))
    raise typer.Exit(Exit.DONE if all(each.good for each in told) else Exit.NO)


@contextmanager
def _asked(ctx: typer.Context, source: str, dlq: str) -> Iterator[list[str]]:
    """The sources to speak of; the broker may be away, for SQS knows most of it."""
    with ExitStack() as stack:
        found = stack.enter_context(host.at_hand(quiet(settings.load(ctx.obj.config))))
        wiring.configure(found)
        names = [wiring.known(source)] if source else list(found.sources)
        if dlq and len(names) > 1:
            raise typer.BadParameter("--dlq is of one source: say which with --source")
        yield names


def _listed(name: str, dlq: str, most: int) -> Listed:
    entries, note = _entries(name)
    found = operation.listed(name, _dead(name, dlq), entries, most=most)
    return operation.noted(found, note)


def _dead(name: str, dlq: str) -> DeadLetters | None:
    try:
        return lines.dead_letters(name, dlq)
    except ValueError as error:
        raise typer.BadParameter(f"--dlq {error}") from error


def _entries(name: str) -> tuple[Sequence[Entry], str]:
    """What quarantine knows of *name*, and why it is not known."""
    try:
        return wiring.ledger(name).quarantine.entries(), ""
    except (redis.RedisError, ConfigError) as error:
        return (), f"quarantine is not seen, so reasons are missing: {error}"


def _lines(each: Listed) -> Iterator[str]:
    if not each.queue:
        yield f"{each.source}: no dead-letter queue: {each.note}"
        return
    waiting = "?" if each.waiting is None else f"{each.waiting:,}"
    flying = f", {each.in_flight:,} received just now" if each.in_flight else ""
    yield f"{each.source}: {waiting} in {each.queue}{flying}"
    if each.messages:
        yield f"  looked at {len(each.messages)}; each was received once more for it:"
        rows = [("id", "sent", "receives", "reason", "what"), *map(_row, each.messages)]
        yield from (f"  {line}" for line in output.columns(rows))
    if each.note:
        yield f"  {each.note}"
    if each.waiting:
        yield f"  once repaired: trailcourier dlq redrive --source {each.source}"


def _row(message: Lying) -> tuple[str, ...]:
    since = age(time.time() - message.sent / 1000) if message.sent else "-"
    what = ", ".join(message.what) or message.detail
    reason = message.reason or "-"
    return message.id, f"{since} ago", str(message.receives), reason, _whose(message, what)


def _whose(message: Lying, what: str) -> str:
    return what if message.ours else f"(of another queue) {what}"


def _sure(dead: dict[str, DeadLetters | None], limit: int | None) -> bool:
    """Whether somebody says yes; nobody there is a no."""
    for name, each in dead.items():
        if each is not None:
            waiting = each.contents().waiting
            count = "an unknown number of" if waiting is None else f"{waiting:,}"
            output.say(f"{name}: {count} messages lie in {each.address.url}")
    most = "" if limit is None else f"up to {limit:,} of "
    try:
        if typer.confirm(f"Move {most}them back to their source's queue?"):
            return True
    except typer.Abort:
        pass
    output.say("Nothing was moved. With --yes nobody is asked.")
    return False


def _redriven(
    name: str, dead: DeadLetters | None, limit: int | None, stopping: threading.Event
) -> Redriven:
    if dead is None:
        return Redriven(name, "", note="the queue has no redrive policy")
    with _progress(name) as watched:
        return operation.redrive(name, dead, most=limit, stopping=stopping, watched=watched)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, so that nothing ends between a send and its delete."""
    stopping = threading.Event()
    signals = Signals(lambda _: stopping.set())
    signals.listen()
    try:
        yield stopping
    finally:
        signals.close()


@contextmanager
def _progress(name: str) -> Iterator[operation.Watched]:
    """Show how it goes: on a terminal in one line that changes, else in a line now and then."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda moved, of: status.update(_told(name, moved, of))
        return
    last = time.monotonic()

    def tell(moved: int, of: int | None) -> None:
        nonlocal last
        if time.monotonic() - last > TELL:
            last = time.monotonic()
            print(f"trailcourier: {_told(name, moved, of)}", file=sys.stderr)

    yield tell


def _told(name: str, moved: int, of: int | None) -> str:
    return f"{name}: {moved:,}{'' if of is None else f' of {of:,}'} moved"


def _outcome(each: Redriven) -> str:
    if not each.queue:
        return f"{each.source}: no dead-letter queue: {each.note}"
    how = "by SQS" if each.way == "move-task" else "received, sent and deleted from here"
    parts = [f"{each.moved:,} moved ({how}{f': {each.note}' if each.note else ''})"]
    if each.failed:
        codes = ", ".join(sorted(set(each.failed.values())))
        parts.append(f"{len(each.failed):,} could not be moved and are still there: {codes}")
    if each.doubled:
        ids = ", ".join(list(each.doubled)[:5])
        parts.append(f"{len(each.doubled):,} are in both queues, for they could not be deleted "
                     f"from the dead-letter queue: {ids}")  # fmt: skip
    if each.others:
        parts.append(f"{each.others:,} of other queues were left")
    if each.stopped:
        parts.append("stopped before the end; run it again to go on")
    return f"{each.source}: {'; '.join(parts)}"
