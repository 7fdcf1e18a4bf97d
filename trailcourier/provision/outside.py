"""Which sinks take records out of the partition they come from (GovCloud, China, the EU's own)."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from trailcourier import regions

_HERE = frozenset({"file", "stdout"})
_PLACES = ("url", "host", "endpoint", "address", "bootstrap_servers")


def outside(partition: str, sinks: Mapping[str, Any]) -> Iterator[str]:
    """Say of each sink what it means for records of *partition*; nothing for the standard one."""
    if partition == "aws":
        return
    for name, sink in sinks.items():
        kind = getattr(sink, "type", "")
        if kind in _HERE:
            yield f"sink {name}: writes on this host; if that is outside {partition}, records are"
            continue
        host = _host(sink)
        if not host or not _inside(host, partition):
            where = f" ({host})" if host else ""
            yield (
                f"sink {name}: a {kind} sink{where} is not in {partition}: records leave it, "
                "whatever rules hold inside"
            )


def _host(sink: Any) -> str:
    for place in _PLACES:
        value = getattr(sink, place, None)
        if isinstance(value, str) and value:
            parts = urlsplit(value if "://" in value else f"//{value}")
            return parts.hostname or ""
    return ""


def _inside(host: str, partition: str) -> bool:
    """Whether a host is AWS's own of that partition, or in a network of one's own."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        pass
    if partition == "aws-us-gov":  # shares its suffix with the standard partition
        return ".us-gov-" in host and host.endswith(".amazonaws.com")
    return host.endswith(f".{regions.suffix(partition)}")
