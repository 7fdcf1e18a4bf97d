"""Prints JSON, tables and times; text from outside cannot act on the terminal."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trailcourier.text import printable


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


def when(milliseconds: int) -> str:
    """Format a time of the ledger's clock, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
