"""Messages left to the queue, as too many objects of their bucket and account are parked.

They stay hidden there for as long as SQS allows, so they cost one receive in twelve hours; when a
breaker of the bucket closes, or after some minutes when few objects are parked, they are handed
back; and one now and then when nothing of the bucket is parked, so that its breaker can close.

A return that comes too early costs a receive.  Where half of a bucket is broken its breaker closes
and opens for days, and a good message that came back each time would soon be in the dead-letter
queue.  So one that was received more than a few times is handed back an hour after it was left at
the earliest, and only if the bucket is well: an object of it was delivered since, and none is
parked.  Each of its receives then takes an hour in which the whole bucket worked.
"""

from collections.abc import Mapping, Sequence

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

MOST = 20_000  # messages of one source that are known; others come back by themselves


PATIENCE = 300_000  # ms after which a message is handed back though no breaker has closed
EARLY = 3  # receives; who was received more often is handed back to a bucket that is well
LATER = 3_600_000  # ms after which that is, at the earliest
HOLD = 10_000  # ms for which one caller has a message to hand back to itself


class LeftMessage(msgspec.Struct, frozen=True):
    """A message that is not held: its newest receipt, and seconds since its receive.

    *bucket* is the one, with an account, that has too many parked objects.
    """

    message: str
    receipt: str
    receive_count: int
    bucket: str
    age: float = 0.0


class LeftForBucket(msgspec.Struct, frozen=True):
    """How many messages are left for one bucket and account; *often* were received often."""

    bucket: str
    messages: int
    often: int


class LeftMessages(msgspec.Struct, frozen=True):
    """All of a source, by bucket; the last comes back by itself after *seconds*."""

    buckets: Sequence[LeftForBucket] = ()
    seconds: float = 0.0

    @property
    def messages(self) -> int:
        return sum(each.messages for each in self.buckets)


TAKE_FULL_MESSAGES = Script("take_full_messages")
NOTE_LEFT_MESSAGES = Script("note_left_messages")
LIST_LEFT_MESSAGES = Script("list_left_messages")
TAKE_RECOVERED_MESSAGES = Script("take_recovered_messages")
FORGET_LEFT_MESSAGES = Script("forget_left_messages")


class Left:
    """The messages of one source that are left to its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def full(self, most: int) -> list[LeftMessage]:
        """Up to *most* messages held that have more parked objects than their bucket may have."""
        return _messages(self._store.call(TAKE_FULL_MESSAGES, self._store.token(), most))

    def note(self, messages: Sequence[LeftMessage], hidden: Mapping[str, int]) -> None:
        """Remember messages that were left, each *hidden* for so many seconds from now."""
        for bucket in sorted({each.bucket for each in messages}):
            flat = [
                part
                for each in messages
                if each.bucket == bucket
                for part in (
                    each.message, each.receive_count, each.receipt, hidden[each.message] * 1000
                )
            ]  # fmt: skip
            self._store.call(NOTE_LEFT_MESSAGES, bucket, MOST, EARLY, *flat)

    def recovered(self, room: int) -> list[LeftMessage]:
        """Up to *room* messages whose bucket has recovered since they were left, oldest first.

        And one of a bucket whose breaker is open, where nothing else is there to probe it with.
        They stay known until they are forgotten, and are told again after some seconds.
        """
        store = self._store
        numbers = store.numbers
        rows = store.call(
            TAKE_RECOVERED_MESSAGES, store.token(), store.source, room, numbers.parked, PATIENCE,
            LATER, int(numbers.breaker_probe * 1000), HOLD,
        )  # fmt: skip
        return _messages(rows)

    def forget(self, messages: Sequence[LeftMessage]) -> None:
        """Forget messages that were handed back, or whose receipts are no longer good."""
        if messages:
            flat = (part for each in messages for part in (each.message, each.receipt))
            self._store.call(FORGET_LEFT_MESSAGES, *flat)

    def size(self) -> int:
        """How many messages are left and known."""
        return int(self._store.client.hlen(f"{self._store.own}left"))

    def all(self) -> LeftMessages:
        """How many messages are left and known, for which buckets, and until when at most."""
        now, last, rows = self._store.call(LIST_LEFT_MESSAGES)
        longest = self._store.numbers.lease_life  # the broker's clock may have been put back
        return LeftMessages(
            tuple(LeftForBucket(bucket.decode(), *numbers) for bucket, *numbers in rows),
            max(0.0, min((last - now) / 1000, longest)),
        )


def _messages(rows: list[tuple[bytes, bytes, int, bytes, int]]) -> list[LeftMessage]:
    return [
        LeftMessage(mid.decode(), receipt.decode(), receives, bucket.decode(), age / 1000)
        for mid, receipt, receives, bucket, age in rows
    ]
