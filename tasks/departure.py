"""End a worker that was asked to stop while its broker does not answer."""

import os
import threading
import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trailcourier import wiring
from trailcourier.observability import log

PATIENCE = 4.0
"""Seconds without an answer after which the process ends without the broker."""

ANSWER = 1.0  # seconds for one answer
LOOK = 0.5  # seconds between two questions


def watch() -> None:
    """End this process if the broker does not answer while it stops.

    Celery, kombu and redis-py wait for the broker at a dozen places of a shutdown, ten seconds and
    more at each.  Work cannot be returned then; other workers take it over as after a kill.
    """
    threading.Thread(target=_leave_alone, name="departure", daemon=True).start()


def _leave_alone() -> None:
    await_silence(_answers)
    log.emit("stopped_without_broker", seconds=PATIENCE)
    os._exit(os.EX_OK)  # a normal exit would wait for threads that wait for the broker


def await_silence(answers: Callable[[], bool]) -> None:
    """Ask repeatedly; return after PATIENCE seconds without an answer."""
    last_answer = time.monotonic()
    while time.monotonic() - last_answer < PATIENCE:
        if answers():
            last_answer = time.monotonic()
        time.sleep(LOOK)


def _answers() -> bool:
    """Whether the broker answers on a new connection, without retries."""
    pool = wiring.client().connection_pool
    once = {"retry": Retry(NoBackoff(), 0), "health_check_interval": 0}
    once |= {"socket_timeout": ANSWER, "socket_connect_timeout": ANSWER}
    parameters = {**pool.connection_kwargs, **once}
    own_pool = redis.ConnectionPool(connection_class=pool.connection_class, **parameters)
    with redis.Redis.from_pool(own_pool) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
