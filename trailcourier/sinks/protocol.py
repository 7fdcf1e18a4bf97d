"""What the line requires of a sink: three steps for each object, and when its records count."""

from collections.abc import Sequence
from typing import Literal, Protocol

from trailcourier.models import Origin


class Delivery(Protocol):
    """Delivers the records of one object to one sink; used by one thread at a time."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Send all records of *batch*, or none: raises Rejected for their content, else a Fault.

        A record is one line: it has no line break.  After a Fault the same batch may be sent again.
        A sink that commits by batch may then have accepted some of its records twice.
        """
        ...

    def finish(self) -> None:
        """Make the sent records final; a sink that commits by object does so here."""
        ...

    def drop(self) -> None:
        """Release resources without finishing; never raises, and does nothing after ``finish``."""
        ...


class Sink(Protocol):
    """Where records are delivered; a worker process keeps it open and all its threads use it.

    *commits* says when records count as accepted: after each ``batch``, or all at once for the
    ``object`` at ``finish``.
    """

    name: str
    commits: Literal["batch", "object"]

    def start(self, origin: Origin) -> Delivery:
        """Begin to deliver the records of one object."""
        ...

    def close(self) -> None:
        """Release what is open; may be called again."""
        ...
