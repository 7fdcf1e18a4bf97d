"""Messages that went back to the queue with a refusal, until the queue gives them up."""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import QueueLimits

COUNT_REFUSED_MESSAGES = Script("count_refused_messages")


class ReturnedMessages:
    """Answers how many refused messages of one source are still in its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count_refused(self, limits: QueueLimits, *, first: int, longest: int) -> int:
        """Count the refused messages that the queue has neither moved nor dropped yet.

        *limits* are the queue's.  A refused message is hidden for *first* seconds after its first
        receive, for twice as long after each further one, and for *longest* at most.  Of the newest
        20,000 messages of the last 15 days.
        """
        most = "" if limits.receives is None else limits.receives
        kept = "" if limits.kept is None else limits.kept * 1000
        return int(
            self._store.call(COUNT_REFUSED_MESSAGES, most, kept, first * 1000, longest * 1000)
        )
