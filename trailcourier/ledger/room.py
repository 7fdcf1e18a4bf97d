"""Room: how many objects a source may still take."""

from collections.abc import Sequence

import msgspec

from trailcourier.breaker_name import credentials_breaker, queue_breaker, sink_breaker
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store


class Room(msgspec.Struct, frozen=True):
    """How many objects may still be taken; *why* names what holds the source up, if anything."""

    objects: int
    why: str = ""


MEASURE_ROOM = Script("measure_room")


class RoomMeter:
    """Answers how many objects one source has in hand, and how many more it may take."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def measure(self, sinks: Sequence[str], host: str = "") -> Room:
        """Return how many more objects *host* may take; 0 without workers or behind a breaker.

        Where the queue's breaker is open, one receive passes as its probe.  Where a sink's or the
        credentials' breaker is open and no parked object can probe it (there are fewer than open a
        breaker, or the sink rejects them all), receives pass until one brings an object.
        """
        numbers, source = self._store.numbers, self._store.source
        queue, others = queue_breaker(source), [credentials_breaker(source)]
        others += [sink_breaker(name) for name in sinks]
        objects, why = self._store.call(
            MEASURE_ROOM, numbers.in_flight, numbers.in_flight_per_thread,
            numbers.heartbeat * 1000, int(numbers.breaker_probe * 1000),
            numbers.breaker_failures, self._store.token(),
            *map(str, (queue, queue.on_host(host), *others)),
        )  # fmt: skip
        return Room(objects, why.decode())

    def count_in_hand(self) -> tuple[int, int, int]:
        """Count objects in flight, objects parked, and messages leased."""
        own, client = self._store.own, self._store.client
        with client.pipeline() as pipe:
            pipe.zcard(f"{own}flight")
            pipe.zcard(f"{own}parked")
            pipe.zcard(f"{own}leases")
            flight, parked, leases = pipe.execute()
        return flight, parked, leases
