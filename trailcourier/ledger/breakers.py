"""Breakers: what fails again and again is left alone for a while; everything else goes on."""

from collections.abc import Collection

import msgspec

from trailcourier.breaker_name import BreakerName
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store


class Breaker(msgspec.Struct, frozen=True):
    """An open breaker: *since* is when it opened (ms), *reason* and *text* are its last failure's.

    ``BreakerName`` takes *name* apart.
    """

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
    """Answers which breakers are open: those of one source, and of sinks, which sources share."""

    def __init__(self, store: Store, sinks: Collection[str] | None) -> None:
        self._store = store
        self._sinks = sinks

    def count_failure(
        self, name: str, what: str, *, reason: str, text: str, limit: int = 0, host: str = ""
    ) -> str:
        """Count a failure of *what*; return the breaker that it opens, empty for none.

        *limit* distinct failures open it; 0 stands for the configured number.  Give *host* where
        the failure may be that host's own: where other hosts have control workers, it counts for
        the host's breaker.
        """
        numbers = self._store.numbers
        opened: bytes = self._store.call(
            COUNT_FAILURE, self._store.token(), name, what, limit or numbers.breaker_failures,
            reason, text[:500], host, numbers.heartbeat * 1000,
        )  # fmt: skip
        return opened.decode()

    def note_success(self, name: str, host: str = "") -> tuple[str, ...]:
        """Close the breaker, and the one of *host* alone; return those that were open."""
        closed = self._store.call(NOTE_SUCCESS, self._store.token(), name, host)
        return tuple(each.decode() for each in closed)

    def reset(self, name: str) -> None:
        """Close the breaker for a new attempt, without noting a success."""
        self._store.call(RESET_BREAKER, name)

    def sweep(self) -> None:
        """Remove failures that no longer count, and the breakers of hosts that are gone."""
        self._store.call(SWEEP_BREAKERS)

    def list_open(self) -> list[Breaker]:
        """List every open breaker that holds this source up, or may."""
        return [breaker for breaker in self.list_all() if self._concerns(breaker.name)]

    def list_all(self) -> list[Breaker]:
        """List every open breaker of any source, by name."""
        found = [
            Breaker(name.decode(), since, reason.decode(), text.decode())
            for name, since, reason, text in self._store.call(LIST_OPEN_BREAKERS)
        ]
        return sorted(found, key=lambda breaker: breaker.name)

    def list_succeeded(self) -> list[str]:
        """List the breakers of this source that ever saw a success: what it read and received."""
        names = [each.decode() for each in self._store.client.hkeys(f"{self._store.everyone}ok")]
        return sorted(name for name in names if BreakerName.parse(name).owner == self._store.source)

    def _concerns(self, name: str) -> bool:
        breaker = BreakerName.parse(name)
        if breaker.kind == "sink":
            return self._sinks is None or breaker.owner in self._sinks
        return breaker.owner == self._store.source
