"""Parked objects: which of them to retry now, and what they wait for.

Parked objects are grouped by the breaker they wait for; those that wait for none are a group too.
A breaker that closed releases its group step by step: one object, then two, four, ...  The groups
take turns, so that a large one does not keep the others waiting.
"""

import msgspec

from trailcourier.ledger.redispatch import DueObject, decode_due
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import ObjectRef


class ParkedObject(msgspec.Struct, frozen=True):
    """A parked object: the reason, the breaker it waits for (empty for none), and the details."""

    ref: ObjectRef
    reason: str
    breaker: str = ""
    detail: str = ""


TAKE_READY_OBJECTS = Script("take_ready_objects")
MAKE_PARKED_DUE = Script("make_parked_due")
LIST_PARKED_OBJECTS = Script("list_parked_objects")


class Parked:
    """Answers which parked objects of one source to retry, and what each waits for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_ready(self, room: int) -> tuple[DueObject, ...]:
        """Take up to *room* objects to retry now: due, released, or as probes of a breaker."""
        if room <= 0:
            return ()
        numbers = self._store.numbers
        longest = int(numbers.breaker_probe * 1000)
        last = int(numbers.park_last * 1000) + longest + 60_000
        return decode_due(
            self._store.call(TAKE_READY_OBJECTS, self._store.token(), room, longest, last)
        )

    def make_due(self) -> None:
        """Make every parked object due now."""
        self._store.call(MAKE_PARKED_DUE)

    def list_some(self, most: int) -> tuple[ParkedObject, ...]:
        """List about *most* parked objects: some of each breaker's, the next due first."""
        return tuple(
            ParkedObject(
                msgspec.json.decode(ref, type=ObjectRef), *(each.decode() for each in rest)
            )
            for ref, *rest in self._store.call(LIST_PARKED_OBJECTS, most)
        )
