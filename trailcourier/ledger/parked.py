"""Parked objects: which of them may be tried again now, and what they wait for.

They wait in scopes, one for each breaker and one for those that wait for none.  A breaker that
closed releases its scope step by step: one object, then two, four, ...  All scopes take turns, so
that a large one does not keep the others waiting.
"""

from collections.abc import Sequence

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import ObjectRef


class Due(msgspec.Struct, frozen=True):
    """An object to dispatch (again), under its new generation."""

    message: str
    index: int
    generation: int
    ref: ObjectRef


class Waiting(msgspec.Struct, frozen=True):
    """A parked object: why, behind which breaker, if behind one, and what went wrong, in words."""

    ref: ObjectRef
    reason: str
    breaker: str = ""
    detail: str = ""


TAKE_READY_OBJECTS = Script("take_ready_objects")
HURRY_PARKED_OBJECTS = Script("hurry_parked_objects")
LIST_PARKED_OBJECTS = Script("list_parked_objects")


class Parked:
    """The parked objects of one source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ready(self, room: int) -> tuple[Due, ...]:
        """Up to *room* objects to try again now: due, or released, or as probes of a breaker."""
        if room <= 0:
            return ()
        numbers = self._store.numbers
        longest = int(numbers.breaker_probe * 1000)
        last = int(numbers.park_last * 1000) + longest + 60_000
        return as_due(
            self._store.call(TAKE_READY_OBJECTS, self._store.token(), room, longest, last)
        )

    def hurry(self) -> None:
        """Let every parked object be due now."""
        self._store.call(HURRY_PARKED_OBJECTS)

    def waiting(self, most: int) -> tuple[Waiting, ...]:
        """About *most* parked objects, some of each scope, the next due of each first."""
        return tuple(
            Waiting(msgspec.json.decode(ref, type=ObjectRef), *(each.decode() for each in told))
            for ref, *told in self._store.call(LIST_PARKED_OBJECTS, most)
        )


def as_due(rows: Sequence[tuple[bytes, int, int, bytes]]) -> tuple[Due, ...]:
    """What a script answered, as objects to dispatch."""
    return tuple(
        Due(mid.decode(), index, generation, msgspec.json.decode(ref, type=ObjectRef))
        for mid, index, generation, ref in rows
    )
