"""The task messages that the broker carries, one for each forward, and their chords."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from trailcourier.ledger.redispatch import DueObject


class Work(msgspec.Struct, frozen=True):
    """One object to forward: object *index* of the leased *message*, under this *generation*.

    *name* is for people: ``s3://bucket/key``.
    """

    source: str
    message: str
    index: int
    generation: int
    name: str


Publish = Callable[[str, Sequence[Work], Sequence[str]], None]
"""Publishes one chord: the source, its forwards, and the messages to settle when all have ended."""


def works_of(source: str, due: Iterable[DueObject]) -> list[Work]:
    """Return the work for objects that the ledger handed out to be dispatched."""
    return [Work(source, d.message, d.index, d.generation, str(d.ref)) for d in due]


def publish_all(publish: Publish, works: Sequence[Work], most: int) -> None:
    """Publish *works*, all of one source, in chords of at most *most*."""
    for at in range(0, len(works), most):
        part = works[at : at + most]
        publish(part[0].source, part, tuple(dict.fromkeys(work.message for work in part)))
