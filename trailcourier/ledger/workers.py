"""The registry of every process of the fleet, which each keeps up to date with its heartbeats.

Two hashes hold it, which belong to no source.  ``workers`` has a field for each process: the time
of its last heartbeat, how many objects it forwards at once, and its Presence as JSON, joined by
``|``.  ``seen`` has the time of the last heartbeat from each role.  Times are the ledger's clock in
milliseconds.

That clock may be set too.  After a step forward, no process counts as alive until its next
heartbeat.  After a step back, earlier heartbeats lie in the future and prove nothing: the next
heartbeat of any process dates them as long past, so that no dead process counts as alive until the
clock has caught up.
"""

from collections.abc import Mapping

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

ROLES = CONTROL, OBJECTS, BEAT = ("control", "objects", "beat")
KEPT = 600  # seconds for which a process that is gone is still listed
SLACK = 10  # seconds a heartbeat may lie in the future: the clock may be slewed, not stepped


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process reports about itself with each heartbeat.

    *roles* are some of CONTROL, OBJECTS and BEAT.  *config* is a digest of its configuration.
    *ahead* is the number of seconds its clock is ahead of the ledger's; None before it compared.
    """

    roles: tuple[str, ...] = ()
    host: str = ""
    pid: int = 0
    version: str = ""
    config: str = ""
    ahead: float | None = None


class FleetProcess(msgspec.Struct, frozen=True):
    """A process: the time of its last heartbeat (ms), and whether it counts as alive."""

    name: str
    heard: int
    alive: bool
    threads: int
    presence: Presence


class FleetRoster(msgspec.Struct, frozen=True):
    """All processes known at *now*, and the last heartbeat from each role; milliseconds.

    *impaired* says why the broker takes no writes; empty where it takes them or was not asked.
    """

    now: int
    seen: tuple[FleetProcess, ...] = ()
    last: Mapping[str, int] = {}
    impaired: str = ""

    def alive(self, role: str) -> tuple[FleetProcess, ...]:
        """Return the processes of *role* that are alive."""
        return tuple(each for each in self.seen if each.alive and role in each.presence.roles)

    @property
    def threads(self) -> int:
        """Return how many objects all live workers together forward at once."""
        return sum(each.threads for each in self.seen if each.alive)


NOTE_HEARTBEAT = Script("note_heartbeat")
COUNT_THREADS = Script("count_threads")
LIST_PROCESSES = Script("list_processes")


class WorkerRegistry:
    """Answers which processes of the fleet are alive; they belong to no source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def _life(self) -> int:
        return self._store.numbers.heartbeat * 1000

    def note_heartbeat(self, worker: str, threads: int, presence: Presence = Presence()) -> int:  # noqa: B008 - it is frozen
        """Note that *worker* is alive, with so many object threads, for all sources.

        Returns the ledger's clock, in milliseconds.
        """
        encoded = msgspec.json.encode(presence)
        lives = (self._life, KEPT * 1000)
        answer = self._store.call(NOTE_HEARTBEAT, worker, threads, encoded, *lives, *presence.roles)
        return int(answer)

    def remove(self, worker: str) -> None:
        """Remove *worker*, which is stopping."""
        self._store.client.hdel(f"{self._store.everyone}workers", worker)

    def count_threads(self) -> int:
        """Return how many objects all live workers together forward at once."""
        return int(self._store.call(COUNT_THREADS, self._life))

    def list_processes(self) -> FleetRoster:
        """List processes by name, alive or gone for at most ``KEPT`` seconds; writes nothing."""
        now, rows, last = self._store.call(LIST_PROCESSES, self._life)
        seen = [
            FleetProcess(
                name.decode(),
                heard,
                bool(alive),
                threads,
                msgspec.json.decode(presence, type=Presence),
            )
            for name, heard, alive, threads, presence in rows
        ]
        pairs = zip(last[::2], last[1::2], strict=True)
        return FleetRoster(
            now,
            tuple(sorted(seen, key=lambda each: each.name)),
            {role.decode(): int(at) for role, at in pairs},
        )
