"""Samples of the queue's depth, so that displays need not ask SQS."""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import QueueLimits

EVERY = 15_000  # ms between two samples of the whole fleet
KNOWN = 120_000  # ms for which a sample counts as true

TAKE_DEPTH_TURN = Script("take_depth_turn")
NOTE_DEPTH = Script("note_depth")
READ_DEPTH = Script("read_depth")


class DepthSamples:
    """Answers how many messages wait in one source's queue, by the latest sample."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_turn(self) -> bool:
        """Say whether the caller should ask the queue now; True for one caller in ``EVERY`` ms."""
        return bool(self._store.call(TAKE_DEPTH_TURN, self._store.token(), EVERY))

    def note(self, visible: int, limits: QueueLimits = QueueLimits()) -> None:  # noqa: B008 - frozen
        """Note how many messages wait, and what ends a message's life in the queue."""
        values = ("" if each is None else each for each in (limits.kept, limits.receives))
        self._store.call(NOTE_DEPTH, visible, KNOWN, *values)

    def read_limits(self) -> QueueLimits:
        """Read what ends a message's life in the queue, as of the latest sample."""
        values = self._store.client.hmget(f"{self._store.own}limits", "kept", "receives")
        return QueueLimits(*(int(each) if each else None for each in values))

    def read(self) -> int | None:
        """Read how many messages waited at the latest sample; None without a recent one."""
        depth = self._store.call(READ_DEPTH, KNOWN)
        return None if depth is None else int(depth)
