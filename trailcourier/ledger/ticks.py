"""Ticks in the broker: how many may wait, and which is too old to act on.

A tick is a message in the control workers' queue.  Redis never removes a message by itself, so the
number is bounded where ticks are sent: ``s:<source>:ticks:<tick>`` lists the ticks sent, word for
word, and a tick that is no longer in the queue makes room for another.  There is no counter, so
nothing needs repair after a worker died with a tick, a queue was deleted, or a failover.

Both times of a tick's age are the broker's, so the clocks of hosts need not agree.
"""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

MADE = "made"
"""The header of a tick's message: the broker's time in milliseconds when the tick was sent."""

LIFE = 10.0
"""Seconds after which a tick is dropped; the next one has arrived by then."""

WAITING = 2
"""Ticks of one kind that may wait in the queue: one that is due, and one for a late worker."""

SEND_TICK = Script("send_tick")


class Ticks:
    """Answers whether one source's tick may be sent, and how old a received tick is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def send(self, queue: str, tick: str, before: str, after: str) -> bool:
        """Put a message into *queue*: *before*, the broker's time, *after*.

        Returns False, and sends nothing, where ``WAITING`` messages of this *tick* wait already.
        *before* holds the message's own id, so a message that is sent twice is there once.
        """
        return bool(self._store.call(SEND_TICK, queue, tick, before, after, WAITING))

    def age(self, made: int) -> float:
        """Return how many seconds ago, by the broker's clock, a tick was *made* (milliseconds).

        A negative age means that the broker's clock was set back since.  The true age is unknown
        then, so the tick is acted on; at most ``WAITING`` ticks of a kind can be like that.
        """
        return (self._store.read_clock() - made) / 1000
