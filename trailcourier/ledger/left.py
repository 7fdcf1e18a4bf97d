"""Messages left to the queue, as too many objects of their bucket and account are parked.

They stay hidden there for as long as SQS allows, so they cost one receive in twelve hours; when a
breaker of the bucket closes, or after some minutes when few objects are parked, they are handed
back; and one now and then when nothing of the bucket is parked, so that its breaker can close.
"""

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

MOST = 20_000  # messages of one source that are known; others come back by themselves


PATIENCE = 300_000  # ms after which a message is handed back though no breaker has closed
EARLY = 3  # receives; who was received more often is not handed back early any more


class LeftMessage(msgspec.Struct, frozen=True):
    """A message that is not held: its newest receipt, and seconds since its receive.

    *bucket* is the one, with an account, that has too many parked objects.
    """

    message: str
    receipt: str
    receive_count: int
    bucket: str
    age: float = 0.0


TAKE_FULL_MESSAGES = Script("take_full_messages")
NOTE_LEFT_MESSAGES = Script("note_left_messages")
TAKE_RECOVERED_MESSAGES = Script("take_recovered_messages")


class Left:
    """The messages of one source that are left to its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def full(self, most: int) -> list[LeftMessage]:
        """Up to *most* messages held that have more parked objects than their bucket may have."""
        return _messages(self._store.call(TAKE_FULL_MESSAGES, self._store.token(), most))

    def note(self, messages: list[LeftMessage]) -> None:
        """Remember messages that were left, to hand them back when their bucket recovers."""
        for bucket in sorted({each.bucket for each in messages}):
            flat = [
                part
                for each in messages
                if each.bucket == bucket
                for part in (each.message, each.receive_count, each.receipt)
            ]
            self._store.call(NOTE_LEFT_MESSAGES, bucket, MOST, *flat)

    def recovered(self, room: int) -> list[LeftMessage]:
        """Up to *room* messages whose bucket has recovered since they were left, oldest first.

        And one of a bucket whose breaker is open, where nothing else is there to probe it with.
        """
        store = self._store
        numbers = store.numbers
        rows = store.call(
            TAKE_RECOVERED_MESSAGES, store.token(), store.source, room, numbers.parked, PATIENCE,
            int(numbers.breaker_probe * 1000),
        )  # fmt: skip
        return [each for each in _messages(rows) if each.receive_count <= EARLY]

    def size(self) -> int:
        """How many messages are left and known."""
        return int(self._store.client.hlen(f"{self._store.own}left"))


def _messages(rows: list[tuple[bytes, bytes, int, bytes, int]]) -> list[LeftMessage]:
    return [
        LeftMessage(mid.decode(), receipt.decode(), receives, bucket.decode(), age / 1000)
        for mid, receipt, receives, bucket, age in rows
    ]
