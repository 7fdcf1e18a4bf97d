"""The broker as kombu speaks to it, with two repairs and a shorter way from queue to worker.

Each repair goes when kombu has it.  The shorter way: kombu asks for one task at a time (BRPOP),
writes down who holds it, and takes the note back when it is done, each with an errand of its own.
Here one script acknowledges what is done, takes as many tasks as there is room for and notes them;
BRPOP only wakes a worker that found nothing.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from kombu.transport import redis as stock
from kombu.transport import virtual
from kombu.utils.scheduling import round_robin_cycle

from tasks.finishing import FinishingChannel
from trailcourier.client import Client, Login, options
from trailcourier.impairment import Impaired
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
  if message.headers.made then return end  -- a tick: lost with its worker, the next one follows
  local properties = message.properties
  local tag, from = properties.delivery_tag, properties.delivery_info
  local exchange, routing_key = cjson.encode(from.exchange), cjson.encode(from.routing_key)
  redis.call('HSET', held, tag, '[' .. item .. ',' .. exchange .. ',' .. routing_key .. ']')
  redis.call('ZADD', index, now, tag)
end

local taken, queue, empty = {}, first, 0
while #taken < room and empty <= #KEYS - first do
  local item = redis.call('RPOP', KEYS[queue])
  if item then
    pcall(hold, item)  -- no message of kombu's: kombu shall say so
    table.insert(taken, {queue - first, item})
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
Answers pairs: which queue, counted from 0; the message.
"""


limits: dict[str, Callable[[int], int]] = {}
"""For some queues, how many of so many of its tasks this process takes now."""


def limit(queue: str, room: int) -> int:
    """How many tasks of *queue* to take now, of *room*."""
    return limits[queue](room) if queue in limits else room


class QoS(stock.QoS):
    """What a channel holds; its acknowledgements wait for the end of the loop's turn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.acked: list[str] = []  # of which the broker knows nothing yet
        self.noted: set[str] = set()  # taken, and noted in `unacked` already

    def append(self, message: Any, delivery_tag: str) -> None:
        if delivery_tag in self.noted or MADE in message.headers:
            self.noted.discard(delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)
        else:
            failpoint("after-brpop")  # out of its queue, not yet in `unacked`: lost if we die here
            self.channel.note(message, delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: Any = None, **_: Any) -> None:
        """Give back what dead workers held; a full broker has no room for it in its queues.

        By the broker's clock: kombu compares that of the host that took a message with that of the
        host that looks, and gives back what a live worker has in hand where they differ.
        """
        try:
            with self.channel.conn_or_acquire() as client, suppress(stock.MutexHeld):
                ends = client.time()[0] - self.visibility_timeout
                found = {"desc": True, "byscore": True, "offset": num and start, "num": num}
                with stock.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire):
                    for tag in client.zrange(self.unacked_index_key, ends, 0, **found):
                        self.restore_by_tag(tag, client)
        except Impaired as error:
            if error.code != "OOM":
                raise

    def ack(self, delivery_tag: str) -> None:
        self.acked.append(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)
        if not self.channel.active_queues:  # so no turn of a loop will come by
            self.acknowledge()

    def acknowledge(self) -> None:
        """Tell the broker what no script has told it."""
        if not self.acked:
            return
        tags = tuple(self.acked)
        with self.channel.conn_or_acquire() as client:
            pipe = client.pipeline(transaction=False)  # a full Redis 7 refuses all within MULTI
            pipe.hdel(self.unacked_key, *tags).zrem(self.unacked_index_key, *tags).execute()
        del self.acked[: len(tags)]

    def take(self, script: Any, queues: list[str], room: int) -> list[tuple[str, Any]]:
        """Acknowledge and take in one errand; answer up to *room* messages, each with its queue."""
        prefix, tags = self.channel.global_keyprefix, tuple(self.acked)
        keys = [prefix + key for key in (self.unacked_index_key, self.unacked_key, *queues)]
        answer = script(keys, [room, *tags])
        del self.acked[: len(tags)]
        if answer:
            failpoint("after-take")  # in `unacked`, not yet begun
        taken = [(queues[number], json.loads(item)) for number, item in answer]
        self.noted.update(message["properties"]["delivery_tag"] for _queue, message in taken)
        return taken


class Channel(FinishingChannel):
    """A channel whose loss is a ConnectionError, and that keeps one client.

    A task's late acknowledgement may meet a channel whose broker has died.  Kombu answers with
    AttributeError, which ends the worker (celery/kombu#582), and builds a client for every command.
    """

    QoS = QoS
    login: Login | None = None  # a transport option
    from_transport_options = (*FinishingChannel.from_transport_options, "login")
    _shared: Any = None
    _take: Any = None
    _queue_cycle: Any

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the connection this channel belonged to is gone")
        return options(super()._connparams(asynchronous=asynchronous), self.login)

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        if client is None:
            pool, client = self.pool, self._shared
            if client is None or client.connection_pool is not pool:
                client = self._shared = self._create_client()
        yield client

    def _brpop_start(self, timeout: Any = None) -> None:
        """Wait for a task, but take first what need not be waited for."""
        room = self.connection.in_loop and self.qos.can_consume_max_estimate()
        limited = {q: few for q in self.active_queues if room and (few := limit(q, room)) < room}
        if limited:
            self._brpop_others(room, limited, timeout)
        elif not room or self.take(room) < room:
            super()._brpop_start(timeout)

    def _brpop_others(self, room: int, limited: dict[str, int], timeout: Any) -> None:
        """Take few tasks of some queues, and wait for those of the others alone."""
        every, others = self._queue_cycle, [q for q in self.active_queues if q not in limited]
        try:
            for queue, few in limited.items():
                self._queue_cycle = round_robin_cycle([queue])
                room -= self.take(few) if few else 0
            self._queue_cycle = round_robin_cycle(others)
            if others and room > 0 and self.take(room) < room:
                super()._brpop_start(timeout)
        finally:
            self._queue_cycle = every

    def take(self, room: int) -> int:
        """Deliver up to *room* tasks that wait in the queues; answer how many there were."""
        if self._take is None or self._take.registered_client.connection_pool is not self.pool:
            self._take = Client(connection_pool=self.pool).own.register_script(TAKE)
        queues = self._queue_cycle.consume(len(self.active_queues))
        taken = self.qos.take(self._take, queues, room)
        for queue, _message in taken:
            self._queue_cycle.rotate(queue)
        self.connection.deliver(taken)
        return len(taken)

    def _basic_cancel(self, consumer_tag: str) -> None:
        super()._basic_cancel(consumer_tag)
        self.qos.acknowledge()


class Poller(stock.MultiChannelPoller):
    """The turns of a loop, each of which leaves no acknowledgement untold."""

    def on_poll_start(self) -> None:
        super().on_poll_start()
        for channel in self._channels:
            channel.qos.acknowledge()


class Transport(stock.Transport):
    """Redis, spoken through Channel."""

    Channel = Channel
    in_loop = False  # else somebody asks for one message at a time
    _loop: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        self.in_loop, self._loop = True, loop
        super().register_with_event_loop(connection, loop)

    def deliver(self, taken: list[tuple[str, Any]]) -> None:
        """Hand messages to who consumes their queues, and have the loop turn again at once.

        Kombu's loop delivers here after it has run what is due and before it waits.  A task that is
        refused at its delivery is acknowledged by ``call_soon``, which does not end that wait when
        it is called in the loop's own thread.
        """
        for queue, message in taken:
            self._deliver(message, queue)
        if taken and self._loop is not None:
            self._loop._waker.wake()  # noqa: SLF001 - kombu has nothing public for it


def waits(channel: Channel, queue: str) -> bool:
    """Whether a message of *queue* waits in the broker, or is held unacknowledged by a worker."""
    with redis.Redis(connection_pool=channel.pool).pipeline() as pipe:  # one moment for both
        pipe.llen(channel.global_keyprefix + queue)
        pipe.hvals(channel.global_keyprefix + channel.unacked_key)
        queued, held = pipe.execute()
    for entry in held:
        with suppress(ValueError, TypeError):  # not kombu's, so nobody will restore it either
            _message, _exchange, routing_key = json.loads(entry)
            queued += routing_key == queue
    return bool(queued)
