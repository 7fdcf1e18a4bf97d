"""What a channel still does where the broker's memory is full: it ends work, and begins none.

kombu writes most things down within MULTI, in which Redis before 8 refuses every command, even one
that frees memory.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kombu.transport import redis as stock
from kombu.utils.json import dumps

from tasks.qos import NOTE
from trailcourier.client import FREES
from trailcourier.impairment import Impaired

PUSH = FREES + "redis.call('LPUSH', KEYS[1], ARGV[1])"


class FinishingChannel(stock.Channel):
    """A channel for which a full broker is no reason to leave work half done.

    *finishing*, a transport option, names the queues whose messages end work and so make room.
    """

    finishing: Sequence[str] = ()
    from_transport_options = (*stock.Channel.from_transport_options, "finishing")

    @cached_property
    def note(self) -> Any:
        """The script that notes a message which is in no queue any more."""
        return self._create_client().register_script(NOTE)

    @cached_property
    def _push(self) -> Any:
        return self._create_client().register_script(PUSH)

    @cached_property
    def _refresh_binding(self) -> Any:
        return self._create_client().register_script(FREES + stock.REFRESH_BINDING)

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        """Publish, to a full broker too where the message ends work."""
        if queue not in self.finishing or kwargs.get("_publish_batch"):
            super()._put(queue, message, **kwargs)
            return
        with self.conn_or_acquire() as client:
            self._push(keys=[queue], args=[dumps(message)], client=client)

    def _size(self, queue: str) -> int:
        """How many messages wait in *queue*."""
        with self.conn_or_acquire() as client:
            return sum(client.llen(self._q_for_pri(queue, step)) for step in self.priority_steps)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind; a full broker refuses even what is bound already."""
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except Impaired as error:
            bound = (routing_key or "", pattern or "", queue) in self.get_table(exchange)
            if error.code != "OOM" or not bound:
                raise
