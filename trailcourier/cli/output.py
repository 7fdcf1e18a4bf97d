"""Prints JSON, tables, progress and times; text from outside cannot act on the terminal."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trailcourier.text import printable

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def say_json(value: object) -> None:
    """Print *value* as one line of JSON, in ASCII."""
    print(json.dumps(msgspec.to_builtins(value)))


def table(*columns: str, numbers: frozenset[str] = frozenset()) -> Table:
    """Return an empty table without borders; *numbers* are the right-aligned columns."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for each in columns:
        made.add_column(each, justify="right" if each in numbers else "left", overflow="fold")
    return made


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align *rows* in columns, one line each however long; the last column is never padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *before, last in rows:
        yield "  ".join([*map(str.ljust, before, widths), last])


def cell(value: object, style: str = "") -> Text:
    """Return a table cell whose text is not read as markup."""
    return Text(f"{value:,}" if isinstance(value, int) else printable(value), style)


def say(shown: Table | str) -> None:
    """Print a table, or one line however narrow the terminal is."""
    if isinstance(shown, str):
        print(printable(shown))
    else:
        Console().print(shown)


def say_lines(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


@contextmanager
def progress(console: Console, interval: float) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a text: on a terminal in one line that changes.

    Elsewhere it prints the text, if it is another one and *interval* seconds have passed.
    """
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
        return
    last, at = "", time.monotonic()

    def show(text: str) -> None:
        nonlocal last, at
        if text != last and time.monotonic() - at > interval:
            last, at = text, time.monotonic()
            console.print(f"trailcourier: {printable(text)}", markup=False)

    yield show


def confirm(question: str) -> bool:
    """Return whether the person says yes; without a person the answer is no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False


def when(milliseconds: int) -> str:
    """Format a time of the ledger's clock, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
