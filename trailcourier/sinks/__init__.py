"""Where records are delivered.

A sink is one file: a frozen pydantic config (its Terms and what it needs besides) with
``open(name, egress) -> Sink``, and what it opens.  The union of the configs is the registry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Annotated, Literal

from pydantic import Field

from trailcourier.egress import Egress
from trailcourier.models import Origin
from trailcourier.sinks import sending
from trailcourier.sinks.bisection import Accepted
from trailcourier.sinks.delivery import Delivery, Sink
from trailcourier.sinks.file import File
from trailcourier.sinks.insightidr import InsightIDR
from trailcourier.sinks.stdout import Stdout
from trailcourier.sinks.terms import Terms

SinkConfig = Annotated[File | InsightIDR | Stdout, Field(discriminator="type")]


@dataclass(frozen=True)
class Outlet:
    """A sink and the terms it takes records on: what the line sends to."""

    sink: Sink
    terms: Terms

    @property
    def name(self) -> str:
        return self.sink.name

    @property
    def commits(self) -> Literal["batch", "object"]:
        return self.sink.commits

    def start(self, origin: Origin) -> Delivery:
        return self.sink.start(origin)

    def send(
        self,
        delivery: Delivery,
        records: Sequence[tuple[int, bytes]],
        *,
        stopping: Event,
        accepted: Accepted = "nothing",
    ) -> Iterator[sending.Taken]:
        """Send *records*, each with its ordinal, and tell piece by piece what became of them.

        *accepted* is what the sink is known to have accepted.  Nothing is sent unless the pieces
        are asked for.  Raises Fault; what was told before it is settled, the rest is not.
        """
        return sending.deliver(
            delivery, records, terms=self.terms, stopping=stopping, accepted=accepted
        )

    def close(self) -> None:
        self.sink.close()


def outlet(name: str, config: SinkConfig, egress: Egress) -> Outlet:
    """Open the sink that *config* describes; *egress* is its way out."""
    return Outlet(config.open(name, egress), config)


__all__ = ["Accepted", "Delivery", "Outlet", "Sink", "SinkConfig", "Terms", "outlet"]
