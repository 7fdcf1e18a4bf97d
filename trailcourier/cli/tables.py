"""Tables that stay readable on a narrow terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2  # columns between two columns


def fitted(
    names: Sequence[str], rows: Sequence[Sequence[Text]], numbers: frozenset[str], width: int
) -> Table:
    """Lay out *rows* on *width* columns; no heading and no value is broken within a word.

    If there is too little room, headings of two words take two lines; if there is still too little,
    each row becomes a block with one line for each value.  *numbers* are the right-aligned columns.
    """
    for headings in (list(names), [each.replace(" ", "\n") for each in names]):
        if _width(headings, rows) <= width:
            return _table(names, headings, rows, numbers)
    return _blocks(names, rows)


def console_width() -> int:
    """Return how many columns standard output has."""
    return Console().width


def _table(
    names: Sequence[str],
    headings: Sequence[str],
    rows: Sequence[Sequence[Text]],
    numbers: frozenset[str],
) -> Table:
    made = _plain(header_style="bold")
    for name, heading in zip(names, headings, strict=True):
        made.add_column(heading, justify="right" if name in numbers else "left", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    return made


def _blocks(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    made = _plain(show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for number, row in enumerate(rows):
        if number:
            made.add_row("", "")
        for name, value in zip(names, row, strict=True):
            made.add_row(name, value)
    return made


def _plain(*, show_header: bool = True, header_style: str = "") -> Table:
    return Table(
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        show_header=show_header,
        header_style=header_style,
    )


def _width(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    widths = [max(map(len, _column(headings, rows, at))) for at in range(len(headings))]
    return sum(widths) + GAP * (len(widths) - 1)


def _column(headings: Sequence[str], rows: Sequence[Sequence[Text]], at: int) -> Iterator[str]:
    yield from headings[at].split("\n")
    yield from (row[at].plain for row in rows)
