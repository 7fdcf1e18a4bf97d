"""Connects to a host step by step: DNS, TCP, proxy, TLS, so that the failed step is known.

It sends the host nothing after the TLS handshake.
"""

import base64
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from urllib3.util.ssltransport import SSLTransport

from trailcourier.aws import tls_contexts
from trailcourier.aws.network import Network, Peer
from trailcourier.doctor import deadlines
from trailcourier.errors import ConfigError

SECONDS = 4.0  # for each step
LONGEST = 4096  # bytes read of a proxy's answer

Resolve = Callable[..., Any]
Trusted = Callable[[Path | None], ssl.SSLContext]


class Failure(msgspec.Struct, frozen=True):
    """The step that failed, as the id of its finding, and the reason in words."""

    id: str
    words: str


class _StepFailed(Exception):
    """Carries the reason, in words, why the step that began last failed."""


class _Options(msgspec.Struct, frozen=True):
    """The options given to ``reach``."""

    network: Network
    seconds: float
    trusted: Trusted
    resolve: Resolve


def reach(
    peer: Peer,
    network: Network,
    *,
    seconds: float = SECONDS,
    trusted: Trusted = tls_contexts.as_boto3,
    resolve: Resolve | None = None,
) -> Failure | None:
    """Connect to *peer* as the line does, then close; return the failure, or None.

    *seconds* limits all steps together; *trusted* makes the TLS context for a CA bundle; *resolve*
    replaces ``socket.getaddrinfo``.
    """
    options = _Options(network, seconds, trusted, resolve or socket.getaddrinfo)
    steps = ["TC101"]
    try:
        deadlines.run_within(seconds, lambda: _connect(peer, options, steps))
    except _StepFailed as failed:
        return Failure(steps[-1], str(failed))
    except TimeoutError:
        return Failure(steps[-1], f"no answer within {seconds:.0f} s")
    return None


def _connect(peer: Peer, options: _Options, steps: list[str]) -> None:
    """Take the steps in order; append the id of each to *steps* as it begins (it has the first)."""
    network = options.network
    proxy = network.proxy(peer.url) if peer.web else None
    proxy_url = (
        urlsplit(proxy if proxy and "://" in proxy else f"http://{proxy}") if proxy else None
    )
    host, port = peer.host, peer.port
    if proxy_url is not None:
        host, port = proxy_url.hostname or "", proxy_url.port or 80
    with contextlib.ExitStack() as stack:
        try:
            addresses = options.resolve(host, port, type=socket.SOCK_STREAM)
            steps.append("TC102")
            channel: Any = _open(addresses, options.seconds / 2)
            stack.callback(channel.close)
            if proxy_url is not None and proxy_url.scheme == "https":
                steps.append("TC104")
                channel = _handshake(channel, options.trusted(network.ca_bundle), host)
                stack.callback(channel.close)
            if proxy_url is not None and peer.encrypted:
                steps.append("TC103")
                _tunnel(channel, peer, proxy_url)
        except (OSError, UnicodeError) as error:
            prefix = f"the proxy {host}: " if proxy_url is not None else ""
            raise _StepFailed(f"{prefix}{_describe(error)}") from error
        if peer.encrypted:
            steps.append("TC104")
            try:
                trusted = options.trusted(peer.ca_file or network.ca_bundle)
                channel = _handshake(channel, trusted, peer.server_name or peer.host)
            except (OSError, ValueError, ConfigError) as error:
                raise _StepFailed(_describe(error)) from error
            stack.callback(channel.close)


def _open(addresses: Sequence[Any], seconds: float) -> socket.socket:
    """Connect to the first of at most two addresses that accepts."""
    problem: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in addresses[:2]:
        made = socket.socket(family, kind, protocol)
        made.settimeout(seconds)
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem


def _tunnel(channel: Any, peer: Peer, proxy_url: SplitResult) -> None:
    """Ask the proxy by CONNECT to connect *channel* to *peer*."""
    where = f"{peer.host}:{peer.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy_url.username:
        user = f"{unquote(proxy_url.username)}:{unquote(proxy_url.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}")
    channel.sendall("\r\n".join([*lines, "", ""]).encode())
    version, _, status = _read_head(channel).partition(b"\r\n")[0].decode("latin-1").partition(" ")
    if not version.startswith("HTTP/"):
        raise OSError("it closed the connection, or its answer is not HTTP")
    if not status.startswith("2"):
        raise OSError(f"it answered {status}")


def _read_head(channel: Any) -> bytes:
    """Read up to the empty line, byte by byte, because the bytes after it come from the peer."""
    read = b""
    while not read.endswith(b"\r\n\r\n") and len(read) < LONGEST and (more := channel.recv(1)):
        read += more
    return read


def _handshake(channel: Any, trusted: ssl.SSLContext, name: str) -> Any:
    if isinstance(channel, ssl.SSLSocket):  # TLS to the peer inside the TLS connection to the proxy
        return SSLTransport(channel, trusted, server_hostname=name)
    return trusted.wrap_socket(channel, server_hostname=name)


def _describe(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"{error.reason or error}"
        case OSError():
            return error.strerror or str(error) or type(error).__name__
        case _:
            return str(error)
