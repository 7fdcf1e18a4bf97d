"""Connects to a host step by step: DNS, TCP, proxy, TLS, so that the failed step is known.

It sends the host nothing after the TLS handshake.  urllib3 connects, as for boto3 and for the HTTP
sinks.  Only the TLS handshake with a host that does not speak HTTP is made here, because urllib3
would offer it HTTP by ALPN, which the line does not do.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig

from trailcourier.aws import connections, tls_contexts
from trailcourier.aws.network import Network, Peer
from trailcourier.doctor import deadlines
from trailcourier.errors import ConfigError

SECONDS = 4.0  # for all steps

Trusted = Callable[[Path | None], ssl.SSLContext]


class Failure(msgspec.Struct, frozen=True):
    """The step that failed, as the id of its finding, and the reason in words."""

    id: str
    words: str


class _StepwiseConnection(HTTPSConnection):
    """A connection that notes which *step* began last, as the id of its finding.

    urllib3 takes all steps in one call.  *proxy_name* is the proxy, until it has made the tunnel.
    """

    step = "TC101"
    proxy_name = ""

    def _new_conn(self) -> socket.socket:
        # urllib3 looks the name up again, but does not say when it has the addresses
        socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        self.step = "TC102"
        connected = super()._new_conn()
        self.step = "TC104"
        return connected

    def _tunnel(self) -> None:
        self.step = "TC103"
        super()._tunnel()
        self.step, self.proxy_name = "TC104", ""


def reach(
    peer: Peer,
    network: Network,
    *,
    seconds: float = SECONDS,
    trusted: Trusted = tls_contexts.as_boto3,
) -> Failure | None:
    """Connect to *peer* as the line does, then close; return the failure, or None.

    *seconds* limits all steps together; *trusted* makes the TLS context for a CA bundle.
    """
    try:
        connection = _prepare(peer, network, seconds / 2, trusted)
    except ConfigError as error:
        return Failure("TC104", str(error))
    try:
        words = deadlines.run_within(seconds, partial(_connect, connection, peer))
    except TimeoutError:
        words = f"no answer within {seconds:.0f} s"
    prefix = f"the proxy {connection.proxy_name}: " if connection.proxy_name else ""
    return Failure(connection.step, f"{prefix}{words}") if words else None


def _prepare(peer: Peer, network: Network, seconds: float, trusted: Trusted) -> _StepwiseConnection:
    """Return the connection to *peer*, not yet open; *seconds* limits each wait of its socket.

    Raises ConfigError if a CA bundle that it needs is unusable.
    """
    named = network.proxy(peer.url) if peer.web else None
    proxy = urlsplit(named or "")
    outer = trusted(network.ca_bundle) if proxy.scheme == "https" else None
    inner = trusted(peer.ca_file or network.ca_bundle) if peer.encrypted else None
    connection = _StepwiseConnection(
        (proxy.hostname or "") if named else peer.host,
        (proxy.port or (443 if outer else 80)) if named else peer.port,
        timeout=seconds,
        ssl_context=inner or outer,
        server_hostname=peer.server_name or None,
        proxy_config=ProxyConfig(outer, False, None, None),
    )
    connection.proxy_name = proxy.hostname or ""
    if named and inner:
        headers, scheme = connections.proxy_headers(proxy), "https" if outer else "http"
        connection.set_tunnel(peer.host, peer.port, headers, scheme)
    return connection


def _connect(connection: _StepwiseConnection, peer: Peer) -> str:
    """Take all steps, then close; return in words why one failed, or nothing."""
    context = connection.ssl_context
    with contextlib.closing(connection):
        try:
            if context and peer.web:
                connection.connect()
            else:
                HTTPConnection.connect(connection)  # without TLS
            if context and connection.sock and not peer.web:
                name = peer.server_name or peer.host
                connection.sock = context.wrap_socket(connection.sock, server_hostname=name)
        except (*connections.ERRORS, ValueError) as error:  # ValueError: an invalid host name
            return connections.describe_error(error)
    return ""
