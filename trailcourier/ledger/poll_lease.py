"""The poll lease: which process polls a source, so that one does at a time."""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

LIFE = 10_000  # ms; its holder renews it every few seconds, so a killed poller is soon replaced

TAKE_POLL_LEASE = Script("take_poll_lease")
RELEASE_POLL_LEASE = Script("release_poll_lease")


class PollLease:
    """Answers whether this process is the one that polls one source in one slot."""

    def __init__(self, store: Store, slot: int) -> None:
        self._store = store
        self._slot = slot
        self._token = store.token()

    def take(self) -> bool:
        """Take the lease; False where another process holds it."""
        return bool(self._store.call(TAKE_POLL_LEASE, self._slot, self._token, LIFE, 0))

    def renew(self) -> bool:
        """Extend the lease by its whole life; False where it was released or lost."""
        return bool(self._store.call(TAKE_POLL_LEASE, self._slot, self._token, LIFE, 1))

    def release(self) -> None:
        """Release the lease; the poll of the next tick may begin."""
        self._store.call(RELEASE_POLL_LEASE, self._slot, self._token)
