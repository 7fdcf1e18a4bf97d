"""What a check returns: findings."""

from typing import Literal

import msgspec

Level = Literal["ok", "not-checked", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """One result of a check.

    *level* is ``error`` if it keeps records from arriving, ``warning`` if it will do so later or
    has a cost, ``not-checked`` if doctor could not see or prove it.  *id* is a key of
    ``catalogue.CATALOGUE`` and never changes its meaning.  *text* says what was found, *fix* what
    to do next; *fix* is empty if there is nothing to do.
    """

    level: Level
    id: str
    text: str
    fix: str = ""


class CatalogueEntry(msgspec.Struct, frozen=True):
    """The explanation of an id, for ``docs/doctor.md``.

    The *question* that the check answers, the *levels* its findings can have, and their *meaning*.
    """

    question: str
    levels: tuple[Level, ...]
    meaning: str


Entries = dict[str, CatalogueEntry]
"""Explanations by id.  An id is never used again for something else, even when it is retired."""
