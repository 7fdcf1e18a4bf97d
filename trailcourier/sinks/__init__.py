"""Where records are delivered.

A sink is one file: a frozen pydantic config with ``open(name) -> Sink``, and what it opens.  The
union of the configs is the registry.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from trailcourier.models import Origin


class Delivery(Protocol):
    """The records of one object on their way into one sink."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Take all records of *batch*, or none and raise: Rejected for content, else a Fault."""
        ...

    def finish(self) -> None:
        """Make what was sent final; a sink that commits by object does so here."""
        ...

    def drop(self) -> None:
        """Let go without finishing; never raises."""
        ...


class Sink(Protocol):
    """Somewhere to deliver to, held open by a worker process and used by all its threads.

    *commits* says when records count as accepted: each ``batch``, or the whole ``object`` at
    ``finish``.
    """

    name: str
    commits: Literal["batch", "object"]

    def start(self, origin: Origin) -> Delivery:
        """Begin to deliver one object's records."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...
