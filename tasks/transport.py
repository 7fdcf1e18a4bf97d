"""The broker as kombu speaks to it, with two repairs; each goes when kombu has it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from kombu.transport import redis as stock

from trailcourier.line.failpoint import failpoint


class Channel(stock.Channel):
    """A channel whose loss is a ConnectionError, and that keeps one client.

    A task's late acknowledgement may meet a channel whose broker has died.  Kombu answers with
    AttributeError, which ends the worker (celery/kombu#582), and builds a client for every command.
    """

    _shared: Any = None

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the connection this channel belonged to is gone")
        return super()._connparams(asynchronous=asynchronous)

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        if client is None:
            pool, client = self.pool, self._shared
            if client is None or client.connection_pool is not pool:
                client = self._shared = self._create_client()
        yield client


class Transport(stock.Transport):
    """Redis, spoken through Channel."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        failpoint("after-brpop")  # out of its queue, not yet in `unacked`: lost if we die here
        super()._deliver(message, queue)


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
