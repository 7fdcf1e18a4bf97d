"""Values as a person reads them: harmless for a terminal, as a duration, and as it was meant."""

import difflib
from collections.abc import Iterable


def printable(text: object) -> str:
    """*text* on one line, with escapes for what a terminal would act on or not show."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(text))


def age(seconds: float | None) -> str:
    """How long that is, in the largest unit of which there are two."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def meant(name: str, candidates: Iterable[str]) -> str:
    """The end of a sentence with that of *candidates* that *name* is nearly; empty without one."""
    near = difflib.get_close_matches(name, list(candidates), n=1)
    return f"; did you mean {near[0]}?" if near else ""
