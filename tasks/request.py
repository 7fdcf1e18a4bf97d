"""What Flower is told of the tasks that serve a whole source."""

import time
from typing import Any

from celery.worker.request import Request


class Quiet(Request):
    """A request that Flower is told of once it has ended, if it failed or came to something.

    The clock starts three of them in two seconds for each source, and nearly all find another one
    at work, or nothing to do: an object would be hard to find among them.
    """

    _eventer: Any

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
