"""A live view of the status: redrawn on a terminal, elsewhere one block after the other."""

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import redis
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from trailcourier import wiring
from trailcourier.cli import output, status_view
from trailcourier.errors import Unreachable
from trailcourier.ledger import broker
from trailcourier.operations.overview import Observer, StatusOverview
from trailcourier.text import printable

Look = StatusOverview | Unreachable


class View(msgspec.Struct, frozen=True):
    """What a live view shows, and how often."""

    workers: bool
    as_json: bool
    interval: float


def watch(observer: Observer, view: View, stopping: threading.Event) -> None:
    """Show a look of *observer* each ``interval`` seconds until *stopping* is set."""
    console = Console()
    if console.is_terminal and not view.as_json:
        _redraw(observer, view, stopping, console)
    else:
        _append(observer, view, stopping, console)


def _redraw(observer: Observer, view: View, stopping: threading.Event, console: Console) -> None:
    """Redraw the terminal's second screen; the last look stays on the first one."""
    shown = Group()
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(look: Look) -> None:
            nonlocal shown
            shown = Group(*_renderables(look, view, console.width))
            live.update(shown, refresh=True)

        _repeat(observer, view, stopping, show)
    console.print(shown)


def _append(observer: Observer, view: View, stopping: threading.Event, console: Console) -> None:
    def show(look: Look) -> None:
        if view.as_json:
            output.say_json({"error": str(look)} if isinstance(look, Unreachable) else look)
        else:
            for each in _renderables(look, view, console.width):
                output.say(each.plain if isinstance(each, Text) else each)
            output.say("")
        sys.stdout.flush()

    _repeat(observer, view, stopping, show)


def _repeat(
    observer: Observer, view: View, stopping: threading.Event, show: Callable[[Look], None]
) -> None:
    while not stopping.is_set():
        show(_look(observer))
        stopping.wait(view.interval)


def _look(observer: Observer) -> Look:
    try:
        return observer.look()
    except redis.RedisError as error:  # the broker may be restarting; the view goes on
        return broker.unreachable(wiring.client(), error)


def _renderables(look: Look, view: View, width: int) -> Iterator[Text | status_view.Shown]:
    yield Text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}", "dim")
    if isinstance(look, Unreachable):
        yield Text(printable(look), "red")
        return
    for each in status_view.sections(look, width, workers=view.workers):
        yield Text("")
        yield Text(printable(each)) if isinstance(each, str) else each
