"""Warn of sinks that take records out of their AWS partition (GovCloud, China, the EU's)."""

import ipaddress
from collections.abc import Iterator, Mapping

from trailcourier.aws import regions
from trailcourier.errors import ConfigError
from trailcourier.sinks import SinkConfig

_LOCAL = frozenset({"file", "stdout"})


def list_partition_warnings(partition: str, sinks: Mapping[str, SinkConfig]) -> Iterator[str]:
    """Yield a warning for each sink that may take records out of *partition*.

    Records of the standard partition may go anywhere.
    """
    for name, sink in sinks.items():
        if partition != "aws" and sink.type in _LOCAL:
            yield (
                f"sink {name}: writes to this host; if the host is outside partition {partition}, "
                "records leave the partition: run the collector on a host inside"
            )
        elif warning := explain_partition_exit(partition, name, sink):
            yield warning


def explain_partition_exit(partition: str, name: str, sink: SinkConfig) -> str:
    """Return where a sink takes records out of *partition*; empty if it does not.

    A sink that writes to this host does not count.
    """
    if partition == "aws" or sink.type in _LOCAL:
        return ""
    if sink.type == "insightidr":  # also through a collector inside the partition
        return (
            f"sink {name}: InsightIDR stores records in standard AWS regions: through this sink "
            f"they leave partition {partition} and the rules that apply there. If that is not "
            "allowed, use another sink"
        )
    outside = [host for host in _list_hosts(sink) if not _is_inside(host, partition)]
    if not outside:
        return ""
    return (
        f"sink {name}: {', '.join(outside)} is not an AWS host of partition {partition}: unless it "
        "is inside, records leave the partition and the rules that apply there. If that is not "
        "allowed, use a host inside"
    )


def _list_hosts(sink: SinkConfig) -> list[str]:
    try:
        return [peer.host for peer in sink.peers()]
    except (ValueError, ConfigError):  # the secret with the address cannot be read
        return ["a host that is not known"]


def _is_inside(host: str, partition: str) -> bool:
    """Return whether *host* is AWS's in *partition*, or has a private address."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        pass
    if host == "localhost":
        return True
    if partition == "aws-us-gov":  # has the same suffix as the standard partition
        return ".us-gov-" in host and host.endswith(".amazonaws.com")
    return host.endswith(f".{regions.host_suffix(partition)}")
