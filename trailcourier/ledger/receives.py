"""Receives: how many in a row brought nothing new, by which `run --drain` knows the end."""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

NOTE_RECEIVE = Script("note_receive")


class Receives:
    """Answers for how many receives one source's queue has brought nothing new."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, *, something_new: bool) -> None:
        """Note one receive; one with *something_new* resets the count."""
        self._store.call(NOTE_RECEIVE, self._store.token(), int(something_new))

    def count_quiet(self) -> int:
        """Return how many receives in a row have brought nothing new."""
        return int(self._store.client.get(f"{self._store.own}quiet") or 0)
