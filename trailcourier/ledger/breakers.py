"""Breakers: what fails is left alone for a while; the rest goes on."""

from collections.abc import Collection

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store


class Breaker(msgspec.Struct, frozen=True):
    """One breaker that is open; times are milliseconds."""

    name: str
    since: int
    reason: str
    text: str


COUNT_FAILURE = Script("count_failure")
NOTE_SUCCESS = Script("note_success")
RESET_BREAKER = Script("reset_breaker")
SWEEP_BREAKERS = Script("sweep_breakers")
LIST_OPEN_BREAKERS = Script("list_open_breakers")


class Breakers:
    """The breakers of one source's queue and buckets, and of its sinks, which sources share."""

    def __init__(self, store: Store, sinks: Collection[str] | None) -> None:
        self._store = store
        self._sinks = sinks

    def failed(
        self, name: str, what: str, *, reason: str, text: str, limit: int = 0, host: str = ""
    ) -> str:
        """Count a failure of *what*; the breaker that this one opens, empty for none.

        *limit* failures do; left out, as many as the configuration says.  With a *host*, the
        failure may be its own: it is, where other hosts have control workers.
        """
        numbers = self._store.numbers
        opened: bytes = self._store.call(
            COUNT_FAILURE, self._store.token(), name, what, limit or numbers.breaker_failures,
            reason, text[:500], host, numbers.heartbeat * 1000,
        )  # fmt: skip
        return opened.decode()

    def succeeded(self, name: str, host: str = "") -> tuple[str, ...]:
        """Close the breaker, and that of *host* alone; those that were open."""
        closed = self._store.call(NOTE_SUCCESS, self._store.token(), name, host)
        return tuple(each.decode() for each in closed)

    def reset(self, name: str) -> None:
        """Close the breaker for a fresh try; no success is claimed by that."""
        self._store.call(RESET_BREAKER, name)

    def sweep(self) -> None:
        """Forget failures that are no longer counted, and the breakers of hosts that are gone."""
        self._store.call(SWEEP_BREAKERS)

    def open(self) -> list[Breaker]:
        """Every open breaker that holds this source up, or may."""
        return [breaker for breaker in self.every() if self._concerns(breaker.name)]

    def every(self) -> list[Breaker]:
        """Every open breaker, of any source."""
        found = [
            Breaker(name.decode(), since, reason.decode(), text.decode())
            for name, since, reason, text in self._store.call(LIST_OPEN_BREAKERS)
        ]
        return sorted(found, key=lambda breaker: breaker.name)

    def _concerns(self, name: str) -> bool:
        kind, _, rest = name.partition(":")
        if kind == "sink":
            return self._sinks is None or rest.partition("@")[0] in self._sinks
        return rest.partition(":")[0].partition("@")[0] == self._store.source
