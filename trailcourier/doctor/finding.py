"""What a check says."""

from typing import Literal

import msgspec

Level = Literal["ok", "unproved", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found.

    *level* is ``error`` for what keeps records from arriving, ``warning`` for what will or costs
    something, ``unproved`` for what could not be seen.  *id* is a key of
    ``catalogue.CATALOGUE`` and keeps its meaning for ever.  *fix* says what to do; it is empty
    where there is nothing to do.
    """

    level: Level
    id: str
    text: str
    fix: str = ""


class Entry(msgspec.Struct, frozen=True):
    """What an id is about, for ``docs/doctor.md``.

    The question it answers, how that can turn out, and what to make of it.
    """

    asks: str
    levels: tuple[Level, ...]
    means: str


Entries = dict[str, Entry]
"""By id, which keeps its meaning for ever: what is no longer told leaves its id to nothing else."""
