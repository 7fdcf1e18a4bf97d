"""The consumer: which events Flower gets, how often, and the pause for an impaired broker."""

import time
from typing import Any

import redis

from tasks import foreign
from trailcourier import wiring
from trailcourier.ledger.redis_faults import Impaired

PAUSE = 0.5
"""Seconds for which a worker collects events; one by one they cost Flower three times as much."""


SHORTEST, LONGEST = 1.0, 5.0
"""Seconds to wait for a broker that answers but cannot serve; doubled each time."""

HELD = 30.0
"""Seconds that a connection must last for the next pause to be SHORTEST again."""


class Consumer(foreign.Demanding):
    """A consumer that sends events in batches and backs off from an impaired broker."""

    _next = 0.0
    _pause = 0.0
    _lost = 0.0  # monotonic

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Back off if the broker answered with an error, such as that it cannot serve.

        Connecting succeeds at once, so without a pause this loop would spin.
        """
        answered = isinstance(
            exc, redis.ResponseError
        )  # redis-py shows only the class of such an error
        super().on_connection_error_after_connected(Exception(str(exc)) if answered else exc)
        if not (answered or isinstance(exc, Impaired)):
            return
        again = time.monotonic() - self._lost < HELD
        self._pause = min(2 * self._pause, LONGEST) if again else SHORTEST
        wiring.stopping.wait(self._pause)
        self._lost = time.monotonic()

    def on_send_event_buffered(self) -> None:
        now = time.monotonic()
        if wiring.stopping.is_set():  # the loop ends before the last task does
            self._send_gathered()
        elif self.hub and now >= self._next:  # by time: a lost connection drops timers
            self._next = now + PAUSE
            self.hub.call_soon(self.hub.call_later, PAUSE, self._flush_events)

    def stop(self) -> None:
        self._send_gathered()
        super().stop()

    def _send_gathered(self) -> None:
        """Send new events, but do not retry those that failed: the broker may be away."""
        if self.event_dispatcher:
            self.event_dispatcher.flush(errors=False)


class Quiet(foreign.OurRequest):
    """A request whose events are sent only when it ends, and only if it failed or did something.

    Beat starts three of them in two seconds for each source.  Nearly all find another one at work
    or nothing to do, and would hide the forwards in Flower.
    """

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        came_to_nothing = type == "task-succeeded" and fields["result"] in {"0", "None"}
        if came_to_nothing or type not in {"task-succeeded", "task-failed"}:
            return
        if self._eventer and self._eventer.enabled:
            named = {"name": self.name, "args": self.argsrepr, "kwargs": self.kwargsrepr}
            family = {"root_id": self.root_id, "parent_id": self.parent_id}
            begun = self.time_start or time.time()
            # dated now: Flower takes an old date for a wrong clock
            self._eventer.send("task-received", uuid=self.id, received=begun, **named, **family)
            self._eventer.send("task-started", uuid=self.id, started=begun)
            self._eventer.send(type, uuid=self.id, **fields)


QUIET: dict[str, Any] = {"Request": Quiet, "send_events": False}
"""Options of a task whose requests are Quiet; Celery's own events are off."""
