"""Reaching a host: its name, a connection, the proxy between, TLS; each step by itself.

Nothing is said to the host beyond the handshake.
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

from trailcourier.doctor import bounded
from trailcourier.egress import Egress, Peer
from trailcourier.errors import ConfigError

SECONDS = 4.0  # for each step
LONGEST = 4096  # bytes of a proxy's answer

Resolve = Callable[..., Any]
Trusted = Callable[[Path | None], ssl.SSLContext]


class Failure(msgspec.Struct, frozen=True):
    """The step that failed, as the id that tells it, and why."""

    id: str
    words: str


class _Failed(Exception):
    pass


class _Way(msgspec.Struct, frozen=True):
    """How to go: what ``reach`` was given."""

    egress: Egress
    seconds: float
    trusted: Trusted
    resolve: Resolve


def as_boto3(bundle: Path | None) -> ssl.SSLContext:
    """Return a context that trusts what boto3 would with *bundle*."""
    # create_default_context asks more of certificates from Python 3.13 on than botocore does
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if bundle:
        made.load_verify_locations(bundle)
    else:
        made.load_default_certs()
    return made


def reach(
    peer: Peer,
    egress: Egress,
    *,
    seconds: float = SECONDS,
    trusted: Trusted = as_boto3,
    resolve: Resolve | None = None,
) -> Failure | None:
    """Connect to *peer* as the line would, and let go; say what failed, if anything did.

    *seconds* bounds all of it; *trusted* makes the context for a CA bundle; *resolve* stands in
    for ``socket.getaddrinfo``.
    """
    way = _Way(egress, seconds, trusted, resolve or socket.getaddrinfo)
    steps: list[str] = []
    try:
        bounded.within(seconds, lambda: _connect(peer, way, steps))
    except _Failed as failed:
        return Failure(steps[-1], str(failed))
    except TimeoutError:
        return Failure(steps[-1], f"nothing came of it in {seconds:.0f} s")
    return None


def _connect(peer: Peer, way: _Way, steps: list[str]) -> None:
    """Take one step after the other; *steps* are those begun."""
    egress = way.egress
    proxy = egress.proxy(peer.url) if peer.web else None
    through = urlsplit(proxy if proxy and "://" in proxy else f"http://{proxy}") if proxy else None
    host, port = peer.host, peer.port
    if through is not None:
        host, port = through.hostname or "", through.port or 80
    with contextlib.ExitStack() as stack:
        try:
            steps.append("TC101")
            addresses = way.resolve(host, port, type=socket.SOCK_STREAM)
            steps.append("TC102")
            channel: Any = _opened(addresses, way.seconds / 2)
            stack.callback(channel.close)
            if through is not None and through.scheme == "https":
                steps.append("TC104")
                channel = _handshake(channel, way.trusted(egress.ca_bundle), host)
                stack.callback(channel.close)
            if through is not None and peer.encrypted:
                steps.append("TC103")
                _tunnel(channel, peer, through)
        except (OSError, UnicodeError) as error:
            whom = f"the proxy {host}: " if through is not None else ""
            raise _Failed(f"{whom}{_words(error)}") from error
        if peer.encrypted:
            steps.append("TC104")
            try:
                trusted = way.trusted(peer.ca_file or egress.ca_bundle)
                channel = _handshake(channel, trusted, peer.server_name or peer.host)
            except (OSError, ValueError, ConfigError) as error:
                raise _Failed(_words(error)) from error
            stack.callback(channel.close)


def _opened(addresses: Sequence[Any], seconds: float) -> socket.socket:
    """Return a connection to the first of two addresses that takes one."""
    problem: OSError = OSError("it has no address")
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


def _tunnel(channel: Any, peer: Peer, through: SplitResult) -> None:
    """Have the proxy connect *channel* to *peer*."""
    where = f"{peer.host}:{peer.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if through.username:
        user = f"{unquote(through.username)}:{unquote(through.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}")
    channel.sendall("\r\n".join([*lines, "", ""]).encode())
    version, _, status = _head(channel).partition(b"\r\n")[0].decode("latin-1").partition(" ")
    if not version.startswith("HTTP/"):
        raise OSError("it closed the connection, or does not speak HTTP")
    if not status.startswith("2"):
        raise OSError(f"it answered {status}")


def _head(channel: Any) -> bytes:
    """Read up to the empty line, byte by byte: what follows is the peer's."""
    read = b""
    while not read.endswith(b"\r\n\r\n") and len(read) < LONGEST and (more := channel.recv(1)):
        read += more
    return read


def _handshake(channel: Any, trusted: ssl.SSLContext, name: str) -> Any:
    if isinstance(channel, ssl.SSLSocket):  # TLS within the TLS of the proxy
        return SSLTransport(channel, trusted, server_hostname=name)
    return trusted.wrap_socket(channel, server_hostname=name)


def _words(error: Exception) -> str:
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
