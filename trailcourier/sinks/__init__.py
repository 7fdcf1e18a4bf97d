"""The sinks: where records are delivered.

Each sink is one module with a frozen pydantic config, which extends ``DeliverySettings``, and the
sink that its ``open(name, network)`` returns.  ``SinkConfig``, the union of the configs, is the
registry.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from trailcourier.aws.network import Network
from trailcourier.models import Origin
from trailcourier.sinks.bisection import PROBE_AFTER, Accepted
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.file import File
from trailcourier.sinks.insightidr import InsightIDR
from trailcourier.sinks.protocol import Delivery, Sink
from trailcourier.sinks.stdout import Stdout

SinkConfig = Annotated[File | InsightIDR | Stdout, Field(discriminator="type")]


@dataclass(frozen=True)
class ConfiguredSink:
    """A sink and its delivery settings; the line sends records through it."""

    sink: Sink
    settings: DeliverySettings

    @property
    def name(self) -> str:
        return self.sink.name

    @property
    def commits(self) -> Literal["batch", "object"]:
        return self.sink.commits

    def start(self, origin: Origin) -> Delivery:
        return self.sink.start(origin)

    def close(self) -> None:
        self.sink.close()


def open_sink(name: str, config: SinkConfig, network: Network) -> ConfiguredSink:
    """Open the sink that *config* describes; *network* has the proxies and the CA bundle."""
    return ConfiguredSink(config.open(name, network), config)


__all__ = [
    "PROBE_AFTER",
    "Accepted",
    "ConfiguredSink",
    "Delivery",
    "DeliverySettings",
    "Sink",
    "SinkConfig",
    "open_sink",
]
