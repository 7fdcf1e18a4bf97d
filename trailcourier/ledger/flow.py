"""Flow: how much may be in hand, who polls, and what must be dispatched again."""

from collections.abc import Sequence

import msgspec

from trailcourier.ledger.parked import Due, as_due
from trailcourier.ledger.poll_lease import PollLease
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

DEGRADED = 3_600_000  # ms until visibility is changed again, to see whether it may be


class Lost(msgspec.Struct, frozen=True):
    """What a look at the forwards in flight found: to dispatch again, and to give back."""

    due: tuple[Due, ...]
    in_vain: tuple[str, ...]


class Room(msgspec.Struct, frozen=True):
    """How many objects may still be taken; *why* says what holds the source if few or none."""

    objects: int
    why: str = ""


MEASURE_ROOM = Script("measure_room")
READ_CLOCK = Script("read_clock")
TAKE_LOST_FORWARDS = Script("take_lost_forwards")
NOTE_RECEIVE = Script("note_receive")
NOTE_DEGRADED = Script("note_degraded")
READ_DEGRADED = Script("read_degraded")


class Flow:
    """What one source has in hand."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def room(self, sinks: Sequence[str], host: str = "") -> Room:
        """How many more objects *host* may take: none without workers, or behind an open breaker.

        An open queue breaker lets one receive through as its probe; a sink's, when no object is
        left to probe with or those that are left are all rejected, lets receives through until
        one brings an object.
        """
        numbers, queue = self._store.numbers, f"queue:{self._store.source}"
        objects, why = self._store.call(
            MEASURE_ROOM, numbers.in_flight, numbers.in_flight_per_thread,
            numbers.heartbeat * 1000, int(numbers.breaker_probe * 1000),
            self._store.token(), queue, f"{queue}@{host}", f"credentials:{self._store.source}",
            *(f"sink:{name}" for name in sinks),
        )  # fmt: skip
        return Room(objects, why.decode())

    def poll_lease(self, slot: int) -> PollLease:
        """A wish of this process to poll the source in *slot*."""
        return PollLease(self._store, slot)

    def lost(self, *, idle: bool, keep: bool) -> Lost:
        """Forwards that will not come back, each told to one caller only.

        *idle* says that no forward waits in the broker; *keep* that no message may be given back.
        """
        numbers = self._store.numbers
        due, vain = self._store.call(
            TAKE_LOST_FORWARDS, self._store.token(), int(idle), numbers.lost_after * 1000,
            numbers.idle_after * 1000, numbers.redispatches, int(keep),
        )  # fmt: skip
        return Lost(as_due(due), tuple(sorted({mid.decode() for mid in vain})))

    def in_hand(self) -> tuple[int, int, int]:
        """Objects in flight, objects parked, messages leased."""
        own, client = self._store.own, self._store.client
        with client.pipeline(transaction=False) as pipe:
            pipe.zcard(f"{own}flight")
            pipe.zcard(f"{own}parked")
            pipe.zcard(f"{own}leases")
            flight, parked, leases = pipe.execute()
        return flight, parked, leases

    def heard(self, *, something_new: bool) -> None:
        """Note a receive; those in a row that brought nothing new are counted."""
        self._store.call(NOTE_RECEIVE, self._store.token(), int(something_new))

    def quiet(self) -> int:
        """How many receives in a row have brought nothing new."""
        return int(self._store.client.get(f"{self._store.own}quiet") or 0)

    def now(self) -> int:
        """The ledger's clock, in milliseconds."""
        return int(self._store.call(READ_CLOCK))

    def degrade(self) -> bool:
        """Note for an hour that visibility cannot be changed; True the first time."""
        return bool(self._store.call(NOTE_DEGRADED, self._store.token(), DEGRADED))

    def degraded(self) -> bool:
        """Whether this source may not change visibility."""
        return bool(self._store.call(READ_DEGRADED, DEGRADED))
