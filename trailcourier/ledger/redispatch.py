"""Dispatch: objects whose forward must be dispatched again, because it was lost."""

from collections.abc import Sequence

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import ObjectRef


class DueObject(msgspec.Struct, frozen=True):
    """An object to dispatch under its new *generation*."""

    message: str
    index: int
    generation: int
    ref: ObjectRef


class LostForwards(msgspec.Struct, frozen=True):
    """Lost forwards: objects *due* for redispatch, and messages redispatched *in_vain*."""

    due: tuple[DueObject, ...]
    in_vain: tuple[str, ...]


TAKE_LOST_FORWARDS = Script("take_lost_forwards")


class Redispatch:
    """Answers which forwards of one source were lost and must be dispatched again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_lost(self, *, idle: bool, keep: bool) -> LostForwards:
        """Take the forwards that were lost; each is handed to one caller only.

        *idle* says that no forward waits in the broker; *keep* that no message may be released.
        """
        numbers = self._store.numbers
        due, in_vain = self._store.call(
            TAKE_LOST_FORWARDS, self._store.token(), int(idle), numbers.lost_after * 1000,
            numbers.idle_after * 1000, numbers.redispatches, int(keep),
        )  # fmt: skip
        return LostForwards(decode_due(due), tuple(sorted({mid.decode() for mid in in_vain})))


def decode_due(rows: Sequence[tuple[bytes, int, int, bytes]]) -> tuple[DueObject, ...]:
    """Decode a script's answer: message, index, generation and reference of each object."""
    return tuple(
        DueObject(mid.decode(), index, generation, msgspec.json.decode(ref, type=ObjectRef))
        for mid, index, generation, ref in rows
    )
