"""Remote control: anybody who reaches the broker may ask about workers, and command nothing."""

from typing import Any

from celery.app import control
from kombu import pidbox

from trailcourier.observability import log

ANSWERED = frozenset(
    {
        *("ping", "stats", "conf", "registered", "active_queues"),
        *("active", "reserved", "scheduled", "revoked"),
        "enable_events",  # Flower sends it every few seconds; events are on already
    }
)
"""The questions of Flower, ``celery status`` and ``celery inspect``."""


class Node(pidbox.Node):
    """A worker's mailbox that refuses commands."""

    def handle(self, method: str, arguments: Any = None) -> Any:
        if method not in ANSWERED:
            log.emit("command_refused", command=ascii(method)[1:-1][:40])
            return {"error": "this worker takes no commands from the broker; signal its process"}
        return super().handle(method, arguments)


class Mailbox(pidbox.Mailbox):
    node_cls = Node


class Control(control.Control):
    Mailbox = Mailbox
