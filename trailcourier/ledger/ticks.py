"""Ticks of the clock in the broker: how many may wait, and which is too old to act on.

A tick is a message in the queue of the control workers.  Redis never removes a message by itself,
so the bound is kept where ticks are sent: ``s:<source>:ticks:<tick>`` lists the ticks sent, word
for word, and one that is no longer in the queue makes room.  Nothing is counted, so a worker that
dies with a tick, a queue that is deleted and a failover leave nothing to be put right.

Both times of a tick's age are the broker's, so no two hosts need agree.
"""

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

MADE = "made"
"""The header of a tick's message with the broker's time, in milliseconds, when it was sent."""

LIFE = 10.0
"""Seconds after which a tick is dropped; the next one is there by then."""

WAITING = 2
"""Ticks of one kind that may wait in the queue: one that is due, and one for who takes it late."""

SEND_TICK = Script("send_tick")
READ_CLOCK = Script("read_clock")


class Ticks:
    """The ticks of one source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def send(self, queue: str, tick: str, before: str, after: str) -> bool:
        """Put a message into *queue*, the broker's time between *before* and *after*.

        Answers False, and sends nothing, where ``WAITING`` messages of this *tick* wait already.
        *before* holds an id of the message's own: sent twice it is there once.
        """
        return bool(self._store.call(SEND_TICK, queue, tick, before, after, WAITING))

    def age(self, made: int) -> float:
        """How many seconds ago, by the broker's clock, a tick was *made* (milliseconds).

        Less than 0 for a tick of the future: the broker's clock was set back since.  Nobody can say
        how old it is, so it is acted on; no more than ``WAITING`` of a kind can be like that.
        """
        return (int(self._store.call(READ_CLOCK)) - made) / 1000
