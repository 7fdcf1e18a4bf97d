"""Which sinks take records out of the partition they come from (GovCloud, China, the EU's own)."""

import ipaddress
from collections.abc import Iterator, Mapping

from trailcourier import regions
from trailcourier.errors import ConfigError
from trailcourier.sinks import SinkConfig

_HERE = frozenset({"file", "stdout"})


def outside(partition: str, sinks: Mapping[str, SinkConfig]) -> Iterator[str]:
    """Say of each sink what it means for records of *partition*; nothing for the standard one."""
    for name, sink in sinks.items():
        if partition != "aws" and sink.type in _HERE:
            yield f"sink {name}: writes on this host; if that is outside {partition}, records are"
        elif left := leaving(partition, name, sink):
            yield left


def leaving(partition: str, name: str, sink: SinkConfig) -> str:
    """Say where a sink takes records of *partition*, if out of it; what stays on this host, no."""
    if partition == "aws" or sink.type in _HERE:
        return ""
    if sink.type == "insightidr":  # by whichever way they get there
        return (
            f"sink {name}: InsightIDR keeps records in standard AWS regions: by this sink they "
            f"leave partition {partition}, whatever rules hold inside"
        )
    away = [host for host in _hosts(sink) if not _inside(host, partition)]
    if not away:
        return ""
    return (
        f"sink {name}: {', '.join(away)} is none of AWS's hosts in partition {partition}: unless "
        "it stands inside, records leave it, whatever rules hold there"
    )


def _hosts(sink: SinkConfig) -> list[str]:
    try:
        return [peer.host for peer in sink.peers()]
    except (ValueError, ConfigError):  # the secret that names it is gone
        return ["a host that is not known"]


def _inside(host: str, partition: str) -> bool:
    """Whether a host is AWS's own of that partition, or in a network of one's own."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        pass
    if host == "localhost":
        return True
    if partition == "aws-us-gov":  # shares its suffix with the standard partition
        return ".us-gov-" in host and host.endswith(".amazonaws.com")
    return host.endswith(f".{regions.suffix(partition)}")
