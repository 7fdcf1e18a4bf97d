"""What verbs print: JSON, tables, times; text from outside cannot act on a terminal."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trailcourier.printable import printable


def say_json(value: object) -> None:
    """Print *value* as one line of JSON, in ASCII."""
    print(json.dumps(msgspec.to_builtins(value)))


def table(*columns: str, numbers: frozenset[str] = frozenset()) -> Table:
    """A table without lines; *numbers* are the columns set to the right."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for each in columns:
        made.add_column(each, justify="right" if each in numbers else "left", overflow="fold")
    return made


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Set *rows* in columns, each a line however long: the last is for what must not be broken."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *before, last in rows:
        yield "  ".join([*map(str.ljust, before, widths), last])


def cell(value: object, style: str = "") -> Text:
    """A table's cell, of which nothing is taken for markup."""
    return Text(f"{value:,}" if isinstance(value, int) else printable(value), style)


def say(shown: Table | str) -> None:
    """Print a table, or one line however wide the terminal is."""
    if isinstance(shown, str):
        print(printable(shown))
    else:
        Console().print(shown)


def when(milliseconds: int) -> str:
    """A moment of the ledger's clock, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
