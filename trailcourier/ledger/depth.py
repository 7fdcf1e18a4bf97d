"""How much waits in the queue, as it was last asked; so that who watches need not ask SQS."""

from trailcourier.ledger.store import Store

EVERY = 15  # seconds between two questions of a whole fleet
KNOWN = 120  # seconds; what is older is no longer true


class Depth:
    """The depth of one source's queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due(self) -> bool:
        """Whether to ask the queue now; one caller is told so."""
        return bool(self._store.client.set(f"{self._store.own}depth:asked", 1, nx=True, ex=EVERY))

    def put(self, visible: int) -> None:
        """Note how many messages wait."""
        self._store.client.set(f"{self._store.own}depth", visible, ex=KNOWN)

    def last(self) -> int | None:
        """How many messages waited when the queue was last asked; None where nobody knows."""
        held = self._store.client.get(f"{self._store.own}depth")
        return None if held is None else int(held)
