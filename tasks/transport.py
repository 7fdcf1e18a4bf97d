"""kombu's Redis transport with two repairs, and with fewer round trips between queue and worker.

Each repair is removed once kombu has it.  One script takes as many tasks as there is room for
(``tasks.qos``); BRPOP only wakes a worker that found nothing.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty
from typing import Any

import redis
from kombu.transport import redis as stock
from kombu.utils.json import dumps
from kombu.utils.scheduling import round_robin_cycle

from tasks import foreign
from tasks.finishing import FinishingChannel
from tasks.qos import TAKE, QoS
from trailcourier.ledger.redis_client import Client, Login, connection_options

take_limits: dict[str, Callable[[int], int]] = {}
"""For some queues: a function of the free room that returns how many tasks to take now."""


gathered: dict[str, Callable[[], None]] = {}
"""For some queues: what starts the tasks that were delivered, called after each take."""


def limit(queue: str, room: int) -> int:
    """Return how many tasks of *queue* to take now; *room* at most."""
    return take_limits[queue](room) if queue in take_limits else room


def _start_gathered() -> None:
    for start in gathered.values():
        start()


class Channel(FinishingChannel):
    """A channel that raises ConnectionError once it is lost, and that keeps one client.

    A task may acknowledge late on a channel whose broker has died.  kombu then raises
    AttributeError, which ends the worker (celery/kombu#582).  It also builds a client for every
    command.
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
        return connection_options(super()._connparams(asynchronous=asynchronous), self.login)

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        if client is None:
            pool, client = self.pool, self._shared
            if client is None or client.connection_pool is not pool:
                client = self._shared = self._create_client()
        yield client

    def _brpop_start(self, timeout: Any = None) -> None:
        """Take the tasks that are there; wait only for queues that had fewer than allowed."""
        room = self.connection.in_loop and self.qos.can_consume_max_estimate()
        if not room:
            super()._brpop_start(timeout)
        elif any(queue in take_limits for queue in self.active_queues):
            self._take_limited(room, timeout)
        elif self.take(room) < room:
            super()._brpop_start(timeout)

    def _take_limited(self, room: int, timeout: Any) -> None:
        """Take from each queue as many tasks as it may have now, in turns."""
        every, short = self._queue_cycle, []
        try:
            for queue in every.consume(len(self.active_queues)):
                few = min(limit(queue, room), room) if room else 0
                self._queue_cycle = round_robin_cycle([queue])
                taken = self.take(few) if few else 0
                room -= taken
                if taken < few:
                    short.append(queue)
                elif taken:
                    every.rotate(queue)
            self._queue_cycle = round_robin_cycle(short)
            if short and room > 0:
                super()._brpop_start(timeout)
        finally:
            self._queue_cycle = every

    def take(self, room: int) -> int:
        """Deliver up to *room* tasks that wait in the queues; return how many."""
        if self._take is None or self._take.registered_client.connection_pool is not self.pool:
            self._take = Client(connection_pool=self.pool).own.register_script(TAKE)
        queues = self._queue_cycle.consume(len(self.active_queues))
        taken = self.qos.take(self._take, queues, room)
        for queue, _item, _tag in taken:
            self._queue_cycle.rotate(queue)
        try:
            for each in taken:
                self._receive_task(*each)
        finally:
            _start_gathered()
        if taken:
            self.connection.turn_again()
        return len(taken)

    def _brpop_read(self, **options: Any) -> bool:
        """Deliver what BRPOP returned, as kombu does; move aside what is not one of our tasks."""
        try:
            found = self.client.parse_response(self.client.connection, "BRPOP", **options)
        except self.connection_errors:
            self.client.connection.disconnect()  # the next turn reconnects
            raise
        finally:
            self._in_poll = None
        if not found:
            raise Empty
        queue = found[0].decode().rpartition(self.sep)[0] or found[0].decode()
        self._queue_cycle.rotate(queue)
        self._receive_task(queue, found[1])
        _start_gathered()
        return True

    def _receive_task(self, queue: str, item: bytes, noted: bytes = b"") -> None:
        """Deliver one message; *noted* is its tag if the broker has recorded it as held.

        A message that is not one of our tasks is moved aside, and the worker goes on.
        """
        tag = ""
        try:
            message = json.loads(item)
            tag = message["properties"]["delivery_tag"]
            if noted:
                self.qos.noted.add(tag)
            self.connection._deliver(message, queue)  # noqa: SLF001 - as kombu's own channel does
        except foreign.MALFORMED as error:
            self.qos.release(tag)
            foreign.set_aside(self, queue, item, noted or tag, error)

    def _receive_one(self, client: Any) -> Any:
        """Receive a broadcast; kombu logs invalid JSON, but not JSON nested too deep."""
        try:
            return super()._receive_one(client)
        except RecursionError as error:
            foreign.log_foreign("broadcasts", b"", error)
            return None

    def _deliver_fanout_message(self, message: Any, exchange: str) -> bool:
        """Deliver a broadcast; log and drop a malformed one, because each worker has a copy."""
        try:
            return bool(super()._deliver_fanout_message(message, exchange))
        except foreign.MALFORMED as error:
            foreign.log_foreign(exchange, dumps(message).encode(), error)
            return True

    def _basic_cancel(self, consumer_tag: str) -> None:
        super()._basic_cancel(consumer_tag)
        self.qos.acknowledge()


class Poller(stock.MultiChannelPoller):
    """A poller that sends the pending acknowledgements in each turn of the loop."""

    def on_poll_start(self) -> None:
        super().on_poll_start()
        for channel in self._channels:
            channel.qos.acknowledge()


class Transport(stock.Transport):
    """The Redis transport with our Channel."""

    Channel = Channel
    in_loop = False  # False: the caller takes one message at a time
    _loop: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        self.in_loop, self._loop = True, loop
        super().register_with_event_loop(connection, loop)

    def turn_again(self) -> None:
        """Make the loop take its next turn without waiting.

        The loop takes tasks after it has run what is due and before it waits.  A task refused at
        its delivery is acknowledged by ``call_soon``, which does not end that wait when it is
        called in the loop's own thread.
        """
        if self._loop is not None:
            self._loop._waker.wake()  # noqa: SLF001 - kombu has nothing public for it


# one script, for a consistent answer: a full broker refuses MULTI
WAITING = "return {redis.call('LLEN', KEYS[1]), redis.call('HVALS', KEYS[2])}"


def has_message(channel: Channel, queue: str) -> bool:
    """Return whether a message of *queue* waits in the broker, or is held by a worker."""
    prefix = channel.global_keyprefix
    queued, held = redis.Redis(connection_pool=channel.pool).eval(
        WAITING, 2, prefix + queue, prefix + channel.unacked_key
    )
    for entry in held:
        with suppress(ValueError, TypeError):  # not written by kombu, so nothing will redeliver it
            _message, _exchange, routing_key = json.loads(entry)
            queued += routing_key == queue
    return bool(queued)
