"""A channel that can still finish work, and starts none, while the broker's memory is full.

kombu writes most things within MULTI, in which a full Redis before version 8 refuses every command,
even one that frees memory.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kombu.transport import redis as stock
from kombu.utils.json import dumps

from tasks.qos import NOTE
from trailcourier.ledger.redis_client import FREES
from trailcourier.ledger.redis_faults import Impaired

PUSH = FREES + "redis.call('LPUSH', KEYS[1], ARGV[1])"


class FinishingChannel(stock.Channel):
    """A channel that finishes work on a full broker.

    *finishing*, a transport option, names the queues whose messages finish work and so free memory.
    """

    finishing: Sequence[str] = ()
    from_transport_options = (*stock.Channel.from_transport_options, "finishing")

    @cached_property
    def note(self) -> Any:
        """The script that records a message as held by this channel."""
        return self._create_client().register_script(NOTE)

    @cached_property
    def _push(self) -> Any:
        return self._create_client().register_script(PUSH)

    @cached_property
    def _refresh_binding(self) -> Any:
        return self._create_client().register_script(FREES + stock.REFRESH_BINDING)

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        """Publish *message*; to a full broker too if the message finishes work."""
        if queue not in self.finishing or kwargs.get("_publish_batch"):
            super()._put(queue, message, **kwargs)
            return
        with self.conn_or_acquire() as client:
            self._push(keys=[queue], args=[dumps(message)], client=client)

    def _size(self, queue: str) -> int:
        """Return how many messages wait in *queue*."""
        with self.conn_or_acquire() as client:
            return sum(client.llen(self._q_for_pri(queue, step)) for step in self.priority_steps)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind *queue*; ignore that a full broker refuses a binding that exists already."""
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except Impaired as error:
            bound = (routing_key or "", pattern or "", queue) in self.get_table(exchange)
            if error.code != "OOM" or not bound:
                raise
