"""Who is at work: every process of a fleet, as it tells the ledger of itself with each pulse.

Two hashes, which belong to no source: ``workers`` has for each process when it was last heard of,
how many objects it carries at once, and its Presence as JSON, with a ``|`` between them; ``seen``
has when a process of each role was last heard of.  Times are the ledger's clock in milliseconds.

That clock may be set too.  After a step forward nobody is alive until the next pulse.  After a step
back what was noted before lies in the future: it proves nothing, and the next pulse of anybody
notes it as long gone, so that no dead process stays alive until the clock is there again.
"""

from collections.abc import Mapping

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

ROLES = CONTROL, OBJECTS, BEAT = ("control", "objects", "beat")
KEPT = 600  # seconds for which a process that is gone is still told of
SLACK = 10  # seconds in the future that are no step of the clock, but its being set by degrees


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process says of itself.

    *roles* are of CONTROL, OBJECTS and BEAT.  *config* is a digest of its configuration; *ahead*
    is by how many seconds its clock is ahead of the ledger's, None before it was compared.
    """

    roles: tuple[str, ...] = ()
    host: str = ""
    pid: int = 0
    version: str = ""
    config: str = ""
    ahead: float | None = None


class FleetProcess(msgspec.Struct, frozen=True):
    """A process: when it was last heard of, in milliseconds, and whether it counts as alive."""

    name: str
    heard: int
    alive: bool
    threads: int
    presence: Presence


class Roll(msgspec.Struct, frozen=True):
    """All processes known at *now*, and when one of each role was last heard of; milliseconds.

    *impaired* is why the broker takes no writes, where it was asked and does not.
    """

    now: int
    seen: tuple[FleetProcess, ...] = ()
    last: Mapping[str, int] = {}
    impaired: str = ""

    def alive(self, role: str) -> tuple[FleetProcess, ...]:
        """The processes of *role* that are alive."""
        return tuple(each for each in self.seen if each.alive and role in each.presence.roles)

    @property
    def threads(self) -> int:
        """How many objects all live workers together carry at once."""
        return sum(each.threads for each in self.seen if each.alive)


NOTE_HEARTBEAT = Script("note_heartbeat")
COUNT_THREADS = Script("count_threads")
LIST_PROCESSES = Script("list_processes")


class Workers:
    """The processes of all sources: they belong to none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def _life(self) -> int:
        return self._store.numbers.heartbeat * 1000

    def heartbeat(self, worker: str, threads: int, presence: Presence = Presence()) -> int:  # noqa: B008 - it is frozen
        """Say that *worker* is alive, with so many object threads; all sources know of it.

        Returns the ledger's clock, in milliseconds.
        """
        told = msgspec.json.encode(presence)
        lives = (self._life, KEPT * 1000)
        answer = self._store.call(NOTE_HEARTBEAT, worker, threads, told, *lives, *presence.roles)
        return int(answer)

    def gone(self, worker: str) -> None:
        """Say that *worker* is leaving."""
        self._store.client.hdel(f"{self._store.everyone}workers", worker)

    def threads(self) -> int:
        """How many objects all live workers together carry at once."""
        return int(self._store.call(COUNT_THREADS, self._life))

    def roll(self) -> Roll:
        """Who is at work and who was until lately, by name; nothing is written."""
        now, rows, last = self._store.call(LIST_PROCESSES, self._life)
        seen = [
            FleetProcess(
                name.decode(),
                heard,
                bool(alive),
                threads,
                msgspec.json.decode(told, type=Presence),
            )
            for name, heard, alive, threads, told in rows
        ]
        pairs = zip(last[::2], last[1::2], strict=True)
        return Roll(
            now,
            tuple(sorted(seen, key=lambda each: each.name)),
            {role.decode(): int(at) for role, at in pairs},
        )
