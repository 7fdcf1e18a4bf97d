"""How a worker that was asked to stop leaves a broker that does not answer."""

import os
import threading
import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trailcourier import observe, wiring

PATIENCE = 4.0
"""Seconds without an answer after which nothing of the broker is waited for any more."""

ANSWER = 1.0  # seconds for one answer
LOOK = 0.5  # seconds between two questions


def watch() -> None:
    """End this process if the broker does not answer while it stops.

    Celery, kombu and redis-py wait for an answer at a dozen places of a shutdown, ten seconds and
    more at each.  There is nobody to hand work back to, and others take it over as they do after
    a kill.
    """
    threading.Thread(target=_leave_alone, name="departure", daemon=True).start()


def _leave_alone() -> None:
    await_silence(_answers)
    observe.fact("stopped_without_broker", seconds=PATIENCE)
    os._exit(os.EX_OK)  # threads that wait for the broker would hold up any other way out


def await_silence(answers: Callable[[], bool]) -> None:
    """Ask again and again; return once nothing was answered for PATIENCE seconds."""
    heard = time.monotonic()
    while time.monotonic() - heard < PATIENCE:
        if answers():
            heard = time.monotonic()
        time.sleep(LOOK)


def _answers() -> bool:
    """Whether the broker answers a connection of its own, without a second try."""
    pool = wiring.client().connection_pool
    once = {"retry": Retry(NoBackoff(), 0), "health_check_interval": 0}
    bounds = {"socket_timeout": ANSWER, "socket_connect_timeout": ANSWER}
    told = {**pool.connection_kwargs, **once, **bounds}
    asking = redis.ConnectionPool(connection_class=pool.connection_class, **told)
    with redis.Redis.from_pool(asking) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
