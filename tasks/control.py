"""Remote control: whoever reaches the broker may ask the workers how they are, and no more."""

from typing import Any

from celery.app import control
from kombu import pidbox

from trailcourier import observe

ANSWERED = frozenset(
    {
        *("ping", "stats", "conf", "registered", "active_queues"),
        *("active", "reserved", "scheduled", "revoked"),
        "enable_events",  # Flower sends it every few seconds; ours are on
    }
)
"""What Flower, ``celery status`` and ``celery inspect`` ask."""


class Node(pidbox.Node):
    """A worker's mailbox, which refuses commands."""

    def handle(self, method: str, arguments: Any = None) -> Any:
        if method not in ANSWERED:
            observe.fact("command_refused", command=ascii(method)[1:-1][:40])
            return {"error": "this worker takes no commands from the broker; signal its process"}
        return super().handle(method, arguments)


class Mailbox(pidbox.Mailbox):
    node_cls = Node


class Control(control.Control):
    Mailbox = Mailbox
