"""What a sink is to the line: three steps for each object, and when its records count."""

from collections.abc import Sequence
from typing import Literal, Protocol

from trailcourier.models import Origin


class Delivery(Protocol):
    """The records of one object on their way into one sink; used by one thread at a time."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Take all records of *batch*, or none and raise: Rejected for content, else a Fault.

        A record is one line: it holds no line break.  After a Fault the same batch may be sent
        again; a sink that commits by batch may then have taken some of it twice.
        """
        ...

    def finish(self) -> None:
        """Make what was sent final; a sink that commits by object does so here."""
        ...

    def drop(self) -> None:
        """Let go without finishing; never raises, and does nothing after ``finish``."""
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
        """Let go of what is held open; may be called again."""
        ...
