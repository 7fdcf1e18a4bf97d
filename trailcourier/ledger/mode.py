"""Mode: whether a source works without ``sqs:ChangeMessageVisibility`` (degraded)."""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

DEGRADED = 3_600_000  # ms after which ChangeMessageVisibility is tried again

NOTE_DEGRADED = Script("note_degraded")
READ_DEGRADED = Script("read_degraded")


class Mode:
    """Answers whether one source may change the visibility of its messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note_degraded(self) -> bool:
        """Note for an hour that visibility cannot be changed; True for the first caller."""
        return bool(self._store.call(NOTE_DEGRADED, self._store.token(), DEGRADED))

    def is_degraded(self) -> bool:
        """Say whether this source may not change visibility."""
        return bool(self._store.call(READ_DEGRADED, DEGRADED))
