"""Leases: our hold on each message of the queue."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec

from trailcourier.ledger.admission import Admitted, NamedObject, admit_message
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import Message


class MessageVerdict(msgspec.Struct, frozen=True):
    """What to do with a message; *receipt* is empty for a retry, which has no SQS message.

    *sent* is SentTimestamp in milliseconds; 0 where SQS did not say.
    """

    message: str
    kind: Literal["delete", "leave", "keep", "gone"]
    receipt: str = ""
    receive_count: int = 0
    sent: int = 0


class ExpiringLease(msgspec.Struct, frozen=True):
    """A lease whose visibility must be extended; *age* is seconds since its receive."""

    message: str
    receipt: str
    age: float


NONE: Mapping[str, str] = MappingProxyType({})
JUDGE_MESSAGES = Script("judge_messages")
FORGET_MESSAGES = Script("forget_messages")
TAKE_EXPIRING_LEASES = Script("take_expiring_leases")
NOTE_EXTENDED_LEASES = Script("note_extended_leases")
TAKE_FINISHED_MESSAGES = Script("take_finished_messages")
MEASURE_LEASES = Script("measure_leases")


class HeldMessages(msgspec.Struct, frozen=True):
    """The extremes of the messages held.

    *oldest* is when the oldest was sent or, where SQS did not say, admitted: milliseconds, None
    without any.  *receives* is how often the one received most was received.
    """

    oldest: int | None
    receives: int


class Leases:
    """Answers what to do with each message that one source has received."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(
        self, message: Message, named: Sequence[NamedObject], *, visibility: int,
        non_create: int = 0, topic: str = "",
    ) -> Admitted:  # fmt: skip
        """Lease *message* and say which of its objects need work.

        *visibility* is seconds.  *non_create* counts S3 events of the message that are not about a
        created object.  *topic* is the ARN of the SNS topic it came through.  A message that is
        leased already only takes the newer receipt: the one with the higher receive count, or of
        equal counts the one admitted later.  A retry has no receipt.
        """
        return admit_message(
            self._store, message, named, visibility=visibility, non_create=non_create, topic=topic
        )

    def judge(self, messages: Sequence[str]) -> list[MessageVerdict]:
        """Say what to do with each message; "delete" and "leave" go to one caller for 10 s."""
        if not messages:
            return []
        answers = self._store.call(JUDGE_MESSAGES, 10_000, self._store.token(), *messages)
        return [
            MessageVerdict(mid.decode(), kind.decode(), receipt.decode(), receives, sent)
            for mid, kind, receipt, receives, sent in answers
        ]

    def forget(
        self, messages: Iterable[str], sum_field: str = "", receipts: Mapping[str, str] = NONE
    ) -> int:
        """Drop leases and count them under *sum_field*; return how many objects were still open.

        A lease whose receipt differs from the one in *receipts* stays, because its message was
        received again meanwhile.  The lease of a retry is not counted as a message.
        """
        pairs = [part for each in messages for part in (each, receipts.get(each, ""))]
        if not pairs:
            return 0
        return int(self._store.call(FORGET_MESSAGES, self._store.token(), sum_field, *pairs))

    def take_expiring(self) -> list[ExpiringLease]:
        """Take leases with less than half of their visibility left, each for one caller only."""
        half = self._store.numbers.visibility * 500
        answers = self._store.call(TAKE_EXPIRING_LEASES, self._store.token(), half, 10_000, 200)
        return [
            ExpiringLease(m.decode(), receipt.decode(), age / 1000) for m, receipt, age in answers
        ]

    def note_extended(self, leases: Sequence[tuple[str, str, int]]) -> None:
        """Note (message, receipt, seconds) of each lease that SQS has extended."""
        if leases:
            flat = (part for lease in leases for part in lease)
            self._store.call(NOTE_EXTENDED_LEASES, self._store.token(), *flat)

    def begin_settle(self) -> list[str]:
        """Take messages whose objects are all done; the next that finishes asks for a settle."""
        self._store.client.delete(f"{self._store.own}settling")
        return self.take_finished(since=0)

    def count_finished(self) -> int:
        """Count the messages whose objects are all done and which wait to be settled."""
        return int(self._store.client.zcard(f"{self._store.own}done"))

    def measure_held(self) -> HeldMessages:
        """Measure how old the oldest message held is, and the most receives of one."""
        oldest, receives = self._store.call(MEASURE_LEASES)
        return HeldMessages(oldest or None, receives)

    def take_finished(self, *, since: float) -> list[str]:
        """Take messages whose objects were all done *since* seconds ago and are not settled."""
        done = self._store.call(TAKE_FINISHED_MESSAGES, self._store.token(), int(since * 1000))
        return [mid.decode() for mid in done]
