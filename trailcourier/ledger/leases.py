"""Leases: what we hold of the queue, message by message."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from trailcourier.ledger.admission import Admitted, Named, admitted
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import Message


class Verdict(msgspec.Struct, frozen=True):
    """How a message stands: *receipt* is empty for one carried without SQS (a retry).

    *sent* is SentTimestamp in milliseconds; 0 where SQS did not say.
    """

    message: str
    kind: Literal["delete", "leave", "keep", "gone"]
    receipt: str = ""
    receive_count: int = 0
    sent: int = 0


class Expiring(msgspec.Struct, frozen=True):
    """A lease whose visibility is to be extended; *age* is seconds since its receive."""

    message: str
    receipt: str
    age: float


JUDGE_MESSAGES = Script("judge_messages")
FORGET_MESSAGES = Script("forget_messages")
TAKE_EXPIRING_LEASES = Script("take_expiring_leases")
NOTE_EXTENDED_LEASES = Script("note_extended_leases")
TAKE_DONE_MESSAGES = Script("take_done_messages")
MEASURE_LEASES = Script("measure_leases")


class HeldMessages(msgspec.Struct, frozen=True):
    """The extremes of the messages held.

    *oldest* is when one was sent or, where SQS did not say, admitted: milliseconds, None without
    any.  *receives* is how often one was received.
    """

    oldest: int | None
    receives: int


class Leases:
    """What one source holds of its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(
        self, message: Message, named: Sequence[Named], *, visibility: int, beside: int = 0,
        topic: str = "",
    ) -> Admitted:  # fmt: skip
        """Lease *message* and say which of its objects need work.

        *visibility* is seconds; *beside* counts what the message says of objects that nobody
        created; *topic* is the ARN it came through.  A live lease only takes the newer handle: of
        the higher receive count, or of the later admission.  A retry has no receipt.
        """
        return admitted(
            self._store, message, named, visibility=visibility, beside=beside, topic=topic,
        )  # fmt: skip

    def verdicts(self, messages: Sequence[str]) -> list[Verdict]:
        """How each message stands; who is told to delete or leave has ten seconds to do so."""
        if not messages:
            return []
        answers = self._store.call(JUDGE_MESSAGES, 10_000, self._store.token(), *messages)
        return [
            Verdict(mid.decode(), kind.decode(), handle.decode(), receives, sent)
            for mid, kind, handle, receives, sent in answers
        ]

    def forget(self, messages: Sequence[str], sum_field: str = "") -> int:
        """Drop leases, counting under *sum_field* what became of them; how many objects were open.

        Those of a retry count as no message.
        """
        if not messages:
            return 0
        return int(self._store.call(FORGET_MESSAGES, self._store.token(), sum_field, *messages))

    def expiring(self) -> list[Expiring]:
        """Leases with less than half their visibility left, each told to one caller only."""
        half = self._store.numbers.visibility * 500
        answers = self._store.call(TAKE_EXPIRING_LEASES, self._store.token(), half, 10_000, 200)
        return [Expiring(m.decode(), handle.decode(), age / 1000) for m, handle, age in answers]

    def extended(self, leases: Sequence[tuple[str, str, int]]) -> None:
        """Note message, handle and seconds of each lease that SQS has extended."""
        if leases:
            flat = (part for lease in leases for part in lease)
            self._store.call(NOTE_EXTENDED_LEASES, self._store.token(), *flat)

    def ready(self) -> list[str]:
        """Messages whose objects are all done; who finishes one from now on asks for a settle."""
        self._store.client.delete(f"{self._store.own}settling")
        return self.complete(since=0)

    def finished(self) -> int:
        """How many messages are done with and wait to be settled."""
        return int(self._store.client.zcard(f"{self._store.own}done"))

    def held(self) -> HeldMessages:
        """How old the oldest message is, and how often one was received."""
        oldest, receives = self._store.call(MEASURE_LEASES)
        return HeldMessages(oldest or None, receives)

    def complete(self, *, since: float) -> list[str]:
        """Messages whose objects have all been done for *since* seconds, yet nobody settled."""
        done = self._store.call(TAKE_DONE_MESSAGES, self._store.token(), int(since * 1000))
        return [mid.decode() for mid in done]
