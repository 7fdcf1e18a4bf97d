"""Messages left to the queue, because too many objects of their bucket and account are parked.

They stay hidden in SQS for as long as it allows, so they cost one receive in twelve hours.  They
are released

- when a breaker of the bucket closes;
- after some minutes, when few of its objects are parked;
- one now and then, when no object of the bucket is parked, so that its breaker can close.

A release that comes too early costs a receive.  Where half of a bucket is broken, its breaker
closes and opens for days, and a good message that came back each time would soon be in the
dead-letter queue.  So a message that was received more than ``EARLY`` times is released after an
hour at the earliest, and only if the bucket is well: one of its objects was delivered since, and
none is parked.  Each further receive of such a message then takes an hour in which the whole bucket
worked.
"""

from collections.abc import Mapping, Sequence

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

MOST = 20_000  # messages of one source that are remembered; SQS redelivers the others by itself
PATIENCE = 300_000  # ms after which a message is released although no breaker has closed
EARLY = 3  # receives; a message with more is released only when its bucket is well
LATER = 3_600_000  # ms after which such a message is released, at the earliest
LOOKS = 5000  # objects of full messages that one call of take_full looks at
HOLD = 10_000  # ms for which a message is reserved for the caller that releases it


class LeftMessage(msgspec.Struct, frozen=True):
    """A message that is left to the queue: its newest *receipt*, and *age* in seconds since then.

    *bucket*, with an account, is the one that has too many parked objects.
    """

    message: str
    receipt: str
    receive_count: int
    bucket: str
    age: float = 0.0


class LeftForBucket(msgspec.Struct, frozen=True):
    """How many messages are left for one bucket and account; *often* of them exceed ``EARLY``."""

    bucket: str
    messages: int
    often: int


class LeftTotals(msgspec.Struct, frozen=True):
    """All left messages of a source by bucket; SQS redelivers the last after *seconds*."""

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


class LeftMessages:
    """Answers which messages of one source to leave to its queue, and which to release."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_full(self, most: int) -> list[LeftMessage]:
        """Take up to *most* held messages whose bucket has more parked objects than it may have."""
        parked = self._store.numbers.parked
        token = self._store.token()
        return _messages(self._store.call(TAKE_FULL_MESSAGES, token, most, parked, LOOKS))

    def note(self, messages: Sequence[LeftMessage], hidden: Mapping[str, int]) -> None:
        """Remember messages that are left; *hidden* gives the seconds for which SQS hides each."""
        for bucket in sorted({each.bucket for each in messages}):
            flat = [
                part
                for each in messages
                if each.bucket == bucket
                for part in (
                    each.message, each.receive_count, each.receipt, hidden[each.message] * 1000
                )
            ]  # fmt: skip
            self._store.call(NOTE_LEFT_MESSAGES, bucket, MOST, EARLY, HOLD, *flat)

    def take_recovered(self, room: int) -> list[LeftMessage]:
        """Take up to *room* messages whose bucket has recovered since they were left, oldest first.

        Also takes one of a bucket whose breaker is open, where nothing else can probe it.  The
        messages stay remembered until ``forget``, and are handed out again after ``HOLD`` ms.
        """
        store = self._store
        numbers = store.numbers
        rows = store.call(
            TAKE_RECOVERED_MESSAGES, store.token(), store.source, room, numbers.parked, PATIENCE,
            LATER, int(numbers.breaker_probe * 1000), HOLD,
        )  # fmt: skip
        return _messages(rows)

    def forget(self, messages: Sequence[LeftMessage]) -> None:
        """Forget messages that were released, or whose receipts are no longer valid."""
        if messages:
            flat = (part for each in messages for part in (each.message, each.receipt))
            self._store.call(FORGET_LEFT_MESSAGES, *flat)

    def count(self) -> int:
        """Count the messages that are left and remembered."""
        return int(self._store.client.hlen(f"{self._store.own}left"))

    def total(self) -> LeftTotals:
        """Count the messages left for each bucket, and say until when at most."""
        now, last, rows = self._store.call(LIST_LEFT_MESSAGES)
        longest = self._store.numbers.lease_life  # the broker's clock may have been set back
        return LeftTotals(
            tuple(LeftForBucket(bucket.decode(), *numbers) for bucket, *numbers in rows),
            max(0.0, min((last - now) / 1000, longest)),
        )


def _messages(rows: list[tuple[bytes, bytes, int, bytes, int]]) -> list[LeftMessage]:
    return [
        LeftMessage(mid.decode(), receipt.decode(), receives, bucket.decode(), age / 1000)
        for mid, receipt, receives, bucket, age in rows
    ]
