"""The forwards that one TAKE brought, worked on together as one job of the pool.

Celery's own strategy makes, checks and announces each request.  Each keeps its own events, return
value and part in its chord.  Celery's tracer, which would run one task at a time, has no part in
it; where something listens to its signals, such as a profiler, each task is run by the tracer.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from typing import Any

import redis
from billiard.einfo import ExceptionInfo
from celery import signals
from celery.utils.log import get_logger
from celery.utils.saferepr import saferepr
from celery.worker import state, strategy
from kombu.exceptions import KombuError

from tasks import transport
from trailcourier.observability import log
from trailcourier.worker.pace import Pace

BROKER = (redis.RedisError, KombuError)

Ended = Sequence[tuple[Any, str | None]]
"""Requests that ended, each with its return value; None if another copy returns it."""


pace = Pace()
jobs: set["Group"] = set()

together: dict[str, Callable[[Sequence[Any]], Iterator[Ended]]] = {}
"""By queue: what works on several requests, and yields those that have ended."""

rooms: dict[str, Callable[[int], int]] = {}
"""By queue: a function of the free room that returns how many tasks to take now."""


def room(threads: int) -> int:
    """Return how many tasks the free ones of a pool's *threads* can work on."""
    grouped = sum(len(job.open) for job in tuple(jobs))
    others = max(0, len(state.reserved_requests) - grouped)  # each is a job of its own
    return max(0, threads - len(jobs) - others) * pace.size()


class Strategy:
    """Gives the pool the requests of a task in groups; Celery makes one for each connection."""

    def __init__(self, task: Any, app: Any, consumer: Any) -> None:
        self.task, self.consumer = task, consumer
        self._waiting: list[Any] = []
        gathering = copy(consumer)
        gathering.on_task_request = self._waiting.append  # Celery's own gives it to the pool
        self._receive = strategy.default(task, app, gathering)
        transport.gathered[task.queue] = self.flush
        transport.take_limits[task.queue] = self._room

    def _room(self, free: int) -> int:
        few = min(free, room(self.consumer.pool.limit))
        return few and rooms[self.task.queue](few)

    def __call__(self, *message: Any) -> None:
        self._receive(*message)

    def flush(self) -> None:
        """Start what waits, at the end of each take: no task waits for another."""
        requests = self._waiting[:]
        self._waiting.clear()
        if signals.task_prerun.receivers or signals.task_postrun.receivers:
            for request in requests:  # they expect one task at a time in a thread
                self.consumer.on_task_request(request)
            return
        size = pace.size()
        for first in range(0, len(requests), size):
            Group(self, requests[first : first + size])


class Group:
    """Requests that are one job of the pool; *open* are those that have not ended."""

    def __init__(self, of: Strategy, requests: Sequence[Any]) -> None:
        self._task, self._consumer = of.task, of.consumer
        self.open = dict.fromkeys(requests)  # not by id: a copy may be among them
        jobs.add(self)
        self._consumer.pool.apply_async(self._run, callback=_none, accept_callback=self._accept)

    def _accept(self, pid: int, begun: float) -> None:
        self._begun = begun
        for request in self.open:
            request.on_accepted(pid, begun)

    def _run(self) -> None:
        """Raise nothing: nobody looks at what a thread of the pool raises."""
        objects = len(self.open)
        try:
            for ended in together[self._task.queue](tuple(self.open)):
                self._end(ended)
        except Exception:  # noqa: BLE001 - a bug; what has ended stays ended
            self._fail(ExceptionInfo())
        finally:
            for request in self.open:  # has no outcome: not acknowledged, so redelivered
                state.task_ready(request)
            pace.note(time.monotonic() - self._begun, objects)
            jobs.discard(self)
            self._consumer.call_soon_ack(_none)  # a thread is free: let the loop take

    def _end(self, ended: Ended) -> None:
        """Count the parts of chords, then end each request, and acknowledge all."""
        try:
            self._task.backend.count_parts([each for each in ended if each[1] is not None])
        except BROKER as error:  # the ledger settles
            log.emit("task_failed", task=self._task.name, why=str(error))
        seconds = time.monotonic() - self._begun
        for request, value in ended:
            request.acknowledged = True  # by us, below
            if value is None:
                state.task_ready(request)
            else:
                request.on_success((False, saferepr(value), seconds))
            del self.open[request]
        # in one turn of the loop, which would otherwise take one task for each
        self._consumer.call_soon_ack(_acknowledge, [request for request, _ in ended])

    def _fail(self, error: ExceptionInfo) -> None:
        for request in tuple(self.open):
            with suppress(*BROKER):
                request.on_failure(error)
            del self.open[request]


def _acknowledge(requests: Sequence[Any]) -> None:
    for request in requests:
        if request.message.channel.connection is not None:  # else the broker redelivers it
            request.message.ack_log_error(get_logger(__name__), request.connection_errors)


def _none(*_: Any) -> None:
    """Do nothing: the pool wants a callback, and the loop something to wake for."""
