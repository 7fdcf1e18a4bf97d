"""The consumer: what Flower is told, how often, and how soon it speaks to its broker again."""

import time
from typing import Any

import redis

from tasks import foreign
from tasks.worker import stopping
from trailcourier.impairment import Impaired

PAUSE = 0.5
"""Seconds for which a worker gathers events; one by one they cost Flower three times as much."""


SHORTEST, LONGEST = 1.0, 5.0
"""Seconds until a broker that answers and cannot serve is asked again; doubled each time."""

HELD = 30.0
"""Seconds for which a connection has to hold, for the next such pause to be the shortest again."""


class Consumer(foreign.Demanding):
    """A consumer that sends events now and then, and leaves an impaired broker alone a while."""

    _next = 0.0
    _pause = 0.0
    _lost = 0.0  # monotonic

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Wait where the broker answered with an error, above all that it cannot serve.

        To connect succeeds at once, so nothing else would keep this loop from spinning.
        """
        answered = isinstance(exc, redis.ResponseError)  # of which redis-py shows the class alone
        super().on_connection_error_after_connected(Exception(str(exc)) if answered else exc)
        if not (answered or isinstance(exc, Impaired)):
            return
        again = time.monotonic() - self._lost < HELD
        self._pause = min(2 * self._pause, LONGEST) if again else SHORTEST
        stopping.wait(self._pause)
        self._lost = time.monotonic()

    def on_send_event_buffered(self) -> None:
        now = time.monotonic()
        if stopping.is_set():  # the loop that would do it later ends before the last task does
            self._send_gathered()
        elif self.hub and now >= self._next:  # by time, as a lost connection forgets what is due
            self._next = now + PAUSE
            self.hub.call_soon(self.hub.call_later, PAUSE, self._flush_events)

    def stop(self) -> None:
        self._send_gathered()
        super().stop()

    def _send_gathered(self) -> None:
        """Send what is new, but not again what failed before: the broker may be away."""
        if self.event_dispatcher:
            self.event_dispatcher.flush(errors=False)


class Quiet(foreign.OurRequest):
    """A request that Flower is told of once it has ended, if it failed or came to something.

    The clock starts three of them in two seconds for each source, and nearly all find another one
    at work, or nothing to do: an object would be hard to find among them.
    """

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        came_to_nothing = type == "task-succeeded" and fields["result"] in {"0", "None"}
        if came_to_nothing or type not in {"task-succeeded", "task-failed"}:
            return
        if self._eventer and self._eventer.enabled:
            named = {"name": self.name, "args": self.argsrepr, "kwargs": self.kwargsrepr}
            family = {"root_id": self.root_id, "parent_id": self.parent_id}
            begun = self.time_start or time.time()
            self._eventer.send(
                "task-received", uuid=self.id, received=begun, **named, **family
            )  # these are stamped now: a stamp of the past passes for a wrong clock
            self._eventer.send("task-started", uuid=self.id, started=begun)
            self._eventer.send(type, uuid=self.id, **fields)


QUIET: dict[str, Any] = {"Request": Quiet, "send_events": False}
"""For a task whose requests are quiet; the events that Celery sends by itself are off."""
