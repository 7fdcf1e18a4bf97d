"""How much waits in the queue, as it was last asked; so that who watches need not ask SQS."""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import QueueLimits

EVERY = 15_000  # ms between two questions of a whole fleet
KNOWN = 120_000  # ms; what is older is no longer true

ASK_DEPTH = Script("ask_depth")
NOTE_DEPTH = Script("note_depth")
READ_DEPTH = Script("read_depth")


class Depth:
    """The depth of one source's queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due(self) -> bool:
        """Whether to ask the queue now; one caller is told so."""
        return bool(self._store.call(ASK_DEPTH, self._store.token(), EVERY))

    def put(self, visible: int, limits: QueueLimits = QueueLimits()) -> None:  # noqa: B008 - frozen
        """Note how many messages wait, and for how long the queue bears with them."""
        told = ("" if each is None else each for each in (limits.kept, limits.receives))
        self._store.call(NOTE_DEPTH, visible, KNOWN, *told)

    def limits(self) -> QueueLimits:
        """What ends a message's life in the queue, as it was last asked."""
        told = self._store.client.hmget(f"{self._store.own}limits", "kept", "receives")
        return QueueLimits(*(int(each) if each else None for each in told))

    def last(self) -> int | None:
        """How many messages waited when the queue was last asked; None where nobody knows."""
        held = self._store.call(READ_DEPTH, KNOWN)
        return None if held is None else int(held)
