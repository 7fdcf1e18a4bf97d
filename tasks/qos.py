"""The messages a channel holds, as kombu records them in ``unacked`` and ``unacked_index``.

kombu takes one task at a time (BRPOP), records it as held, and removes the record when the task is
done: a round trip each.  Here one script removes the records of done tasks, takes as many tasks as
there is room for and records them.
"""

from contextlib import suppress
from typing import Any

from kombu.transport import redis as stock
from kombu.transport import virtual
from kombu.utils.json import dumps

from tasks import foreign
from trailcourier.ledger.redis_client import FREES
from trailcourier.ledger.redis_faults import Impaired
from trailcourier.ledger.ticks import MADE
from trailcourier.line.failpoint import failpoint

TAKE = """
local index, held, first = KEYS[1], KEYS[2], 3
local now, room = redis.call('TIME')[1], tonumber(ARGV[1])
if #ARGV > 1 then
  redis.call('ZREM', index, unpack(ARGV, 2))
  redis.call('HDEL', held, unpack(ARGV, 2))
end

local function hold(item)
  local message = cjson.decode(item)
  if message.headers.made then return end  -- a tick may be lost: the next one follows
  local properties = message.properties
  local tag, from = properties.delivery_tag, properties.delivery_info
  local exchange, routing_key = cjson.encode(from.exchange), cjson.encode(from.routing_key)
  redis.call('HSET', held, tag, '[' .. item .. ',' .. exchange .. ',' .. routing_key .. ']')
  redis.call('ZADD', index, now, tag)
  return tag
end

local taken, queue, empty = {}, first, 0
while #taken < room and empty <= #KEYS - first do
  local item = redis.call('RPOP', KEYS[queue])
  if item then
    local sound, held = pcall(hold, item)
    table.insert(taken, {queue - first, item, sound and held or ''})
    empty = 0
  else
    empty = empty + 1
  end
  queue = queue < #KEYS and queue + 1 or first
end
return taken
"""
"""Acknowledge, then take from the queues in turn until there is no room or nothing left.

KEYS: `unacked_index`, `unacked`, the queues.  ARGV: the room, then the tags to acknowledge.
Returns for each message: its queue, counted from 0; the message; its tag, if it was recorded.
"""


NOTE = (
    FREES
    + """
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
"""
)
"""Record a message as held.  KEYS: `unacked_index`, `unacked`; ARGV: tag, message."""


class QoS(stock.QoS):
    """The messages of a channel; acknowledgements are sent at the end of each turn of the loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.acked: list[str] = []  # not yet sent to the broker
        self.noted: set[str] = set()  # recorded in `unacked` already

    def append(self, message: Any, delivery_tag: str) -> None:
        if delivery_tag in self.noted or MADE in message.headers:
            self.noted.discard(delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)
        else:
            failpoint("after-brpop")  # in no queue and not in `unacked`: lost if we die here
            self._note(message, delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)

    def _note(self, message: Any, tag: str) -> None:
        """Record that we hold *message*, in a full broker too: no queue has it any more."""
        delivery = message.delivery_info
        # what kombu itself records
        held = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001
        keys = [self.unacked_index_key, self.channel.global_keyprefix + self.unacked_key]
        with self.channel.conn_or_acquire() as client:
            self.channel.note(keys=keys, args=[tag, held], client=client)

    def restore_visible(self, start: int = 0, num: Any = None, **_: Any) -> None:
        """Return the messages of dead workers to their queues, unless the broker is full.

        Uses the broker's clock.  kombu compares the clocks of two hosts, and where they differ it
        redelivers messages that a live worker holds.
        """
        try:
            with self.channel.conn_or_acquire() as client, suppress(stock.MutexHeld):
                ends = client.time()[0] - self.visibility_timeout
                found = {"desc": True, "byscore": True, "offset": num and start, "num": num}
                with stock.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire):
                    for tag in client.zrange(self.unacked_index_key, ends, 0, **found):
                        self._restore(tag, client)
        except Impaired as error:
            if error.code != "OOM":
                raise

    def _restore(self, tag: bytes, client: Any) -> None:
        """Return one message to its queue; move a malformed record aside, so that others follow."""
        try:
            self.restore_by_tag(tag, client)
        except foreign.MALFORMED as error:
            item = client.hget(self.unacked_key, tag)
            foreign.set_aside(self.channel, self.unacked_key, item, tag, error)

    def release(self, tag: Any) -> None:
        """Forget a message that is not one of our tasks; the caller removes it from the broker."""
        if isinstance(tag, str):
            self.noted.discard(tag)
            if tag in self._delivered:
                virtual.QoS.ack(self, tag)

    def ack(self, delivery_tag: str) -> None:
        self.acked.append(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)
        if not self.channel.active_queues:  # so no turn of a loop will come by
            self.acknowledge()

    def acknowledge(self) -> None:
        """Send the acknowledgements that no script has sent."""
        if not self.acked:
            return
        tags = tuple(self.acked)
        with self.channel.conn_or_acquire() as client:
            pipe = client.pipeline(transaction=False)  # a full Redis 7 refuses all within MULTI
            pipe.hdel(self.unacked_key, *tags).zrem(self.unacked_index_key, *tags).execute()
        del self.acked[: len(tags)]

    def take(self, script: Any, queues: list[str], room: int) -> list[tuple[str, bytes, bytes]]:
        """Acknowledge and take messages in one round trip.

        Answers up to *room* messages, each with its queue, and its tag if the broker noted it.
        """
        prefix, tags = self.channel.global_keyprefix, tuple(self.acked)
        keys = [prefix + key for key in (self.unacked_index_key, self.unacked_key, *queues)]
        answer = script(keys, [room, *tags])
        del self.acked[: len(tags)]
        if answer:
            failpoint("after-take")  # in `unacked`, not yet begun
        return [
            (queues[number], item, tag.decode(errors="replace")) for number, item, tag in answer
        ]
