"""Text for people: safe to print on a terminal, durations, sizes, and spelling suggestions."""

import difflib
from collections.abc import Iterable


def printable(text: object) -> str:
    """Return *text* on one line, with control and invisible characters escaped."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(text))


def age(seconds: float | None) -> str:
    """Return a duration in the largest unit of which there are at least two; "-" for None."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def byte_size(number: int) -> str:
    """Return a number of bytes in the largest unit of which there is at least one."""
    for size, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return a suffix that suggests the candidate closest to *name*; empty if none is close."""
    near = difflib.get_close_matches(name, list(candidates), n=1)
    return f"; did you mean {near[0]}?" if near else ""
