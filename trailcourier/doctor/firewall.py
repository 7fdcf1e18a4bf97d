"""The list of hosts for a firewall."""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from trailcourier.doctor.hosts import ANY, RequiredHost, aws_hosts, other_hosts
from trailcourier.doctor.subject import Shared, Subject


class FirewallRow(msgspec.Struct, frozen=True):
    """A row of the list for a firewall.

    *host* begins with ``*.`` if it stands for any bucket's host.  *by* is ``line`` if delivery
    needs the host, ``doctor`` if only doctor does.  *proxy* is the proxy's host, if one is used.
    """

    host: str
    port: int
    why: str
    by: Literal["line", "doctor"]
    proxy: str = ""


def firewall_rows(shared: Shared, names: Sequence[str]) -> list[FirewallRow]:
    """Return the hosts that the sources in *names*, the broker and the sinks need, each once."""
    found = [host for name in names for host in _of_source(shared, name)] + other_hosts(shared)
    by_url: dict[str, list[RequiredHost]] = {}
    for each in found:
        by_url.setdefault(each.peer.url, []).append(each)
    return [_row(shared, group) for group in by_url.values()]


def _of_source(shared: Shared, name: str) -> list[RequiredHost]:
    hosts = aws_hosts(Subject(name, shared))
    return [msgspec.structs.replace(each, why=f"{each.why} of {name}") for each in hosts]


def _row(shared: Shared, hosts: Sequence[RequiredHost]) -> FirewallRow:
    peer = hosts[0].peer
    proxy = shared.settings.network.proxy(peer.url) if peer.web else None
    return FirewallRow(
        host=peer.host.replace(f"{ANY}.", "*."),
        port=peer.port,
        why="; ".join(dict.fromkeys(each.why for each in hosts)),
        by="line" if any(each.line for each in hosts) else "doctor",
        proxy=urlsplit(proxy).hostname or "" if proxy else "",
    )
