"""One connection over TCP or TLS that can find out what the peer has received.

A successful write proves nothing: the kernel took 60 kB for a peer that had read nothing and then
reset the connection.  Two methods prove more.  After ``wait_acknowledged`` the peer's kernel has
every byte, and the connection is still open.  After ``finish`` the peer's program has read every
byte, because it ended its side after it had read to the end of ours.
"""

import contextlib
import fcntl
import socket
import struct
import sys
import termios
import time
from typing import NamedTuple, Self

from trailcourier.sinks.deadline import seconds_left, timeout_message
from trailcourier.sinks.tls import TlsPeer, TlsSession
from trailcourier.text import printable

# SIOCOUTQ under its portable name: its number differs between architectures of Linux
UNACKNOWLEDGED_QUERY = termios.TIOCOUTQ if sys.platform == "linux" else None
FIRST_PAUSE = 0.0001  # seconds; about a round trip between two hosts of one network
LONGEST_PAUSE = 0.02  # seconds
LATE_ACKNOWLEDGEMENT = 1.0  # seconds; a kernel acknowledges within 0.2 s, plus the way
SHOWN_BYTES = 100  # of the peer's answer, in an error
MAX_READS = 64  # of 4 KiB in one check; a peer that sends more does not receive lines
_TLS_ALERT = b"\x15\x03"  # the start of a TLS alert


class Address(NamedTuple):
    """A host and port; as text, ``host:port`` or ``[IPv6]:port``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connection:
    """One open connection; used by one thread at a time, and not used after an error.

    Methods raise OSError, and TimeoutError once *deadline*, a time of ``time.monotonic``, passes.
    """

    def __init__(self, connected: socket.socket | TlsSession) -> None:
        self._socket = connected
        self._received = b""

    def write(self, data: bytes, deadline: float) -> None:
        """Write all of *data* to the kernel's send buffer."""
        rest = memoryview(data)
        with timeout_message("the other side did not take all of it in time"):
            while rest:
                self._socket.settimeout(seconds_left(deadline))
                rest = rest[self._socket.send(rest) :]

    def check_open(self) -> None:
        """Raise if the peer has ended or reset the connection; does not wait.

        Data of the peer is read first, because its end is only visible behind it.  TLS messages of
        the protocol itself, such as session tickets and key updates, are not an end.
        """
        self._socket.settimeout(0)
        for _ in range(MAX_READS):
            try:
                data = self._socket.recv(4096)
            except BlockingIOError:
                break
            if not data:
                raise ConnectionResetError(f"the other side ended the connection{self._answer()}")
            self._keep_answer(data)
        else:
            detail = "it sends data, which a receiver of lines does not do"
            raise ConnectionAbortedError(f"{detail}{self._answer()}")
        self._check_error()

    def wait_acknowledged(self, deadline: float) -> None:
        """Wait until the peer's kernel has every byte, and check that the connection is open."""
        pause = FIRST_PAUSE
        with timeout_message("not all of it was acknowledged in time"):
            # the kernel has no event for an empty queue, so it is polled; after a reset the queue
            # never gets empty, so the connection is checked too
            while _unacknowledged(self._socket):
                self.check_open()
                time.sleep(min(pause, seconds_left(deadline)))
                pause = min(2 * pause, LONGEST_PAUSE)
        self.check_open()

    def finish(self, deadline: float) -> None:
        """End our side, and wait until the peer's program has read everything and ended its side.

        If the program dies with unread data, its kernel resets the connection; if it dies before
        our last byte arrives, that byte stays unacknowledged.  A peer that answers is not a
        receiver of lines: an HTTP server also reads to the end, and then reports a bad request.
        """
        with timeout_message(
            "the other side did not read all and end its side in time; see `accept_when`"
        ):
            self._socket.settimeout(seconds_left(deadline))
            self._socket.shutdown(socket.SHUT_WR)
            while data := self._socket.recv(4096):
                self._keep_answer(data)
                self._socket.settimeout(seconds_left(deadline))
        self._require_acknowledged(deadline)
        if self._received:
            detail = "it answers, which a receiver of lines does not do"
            raise ConnectionAbortedError(f"{detail}{self._answer()}")

    def _require_acknowledged(self, deadline: float) -> None:
        """Raise unless the peer's kernel has every byte, at most a moment after the peer's end.

        Over TLS the peer's close_notify answers ours, and may arrive before the acknowledgement of
        our end of the connection.
        """
        pause, ends = FIRST_PAUSE, min(deadline, time.monotonic() + LATE_ACKNOWLEDGEMENT)
        while True:
            self._check_error()
            if not _unacknowledged(self._socket):
                return
            if time.monotonic() >= ends:
                raise ConnectionResetError(
                    f"the other side ended before it had all{self._answer()}"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Close the socket; never raises.

        Data in the send buffer may still arrive, and then once more with the retry.  A reset of the
        connection would prevent this, but could also drop accepted data that the peer has not read.
        """
        with contextlib.suppress(OSError):
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_error(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, f"the connection broke{self._answer()}")

    def _keep_answer(self, data: bytes) -> None:
        self._received = (self._received + data)[:SHOWN_BYTES]

    def _answer(self) -> str:
        """Return what the peer sent, as the end of an error message."""
        if self._received.startswith(_TLS_ALERT):
            return "; it speaks TLS, so set `tls = true`"
        if not self._received:
            return ""
        return f'; it sent "{printable(self._received.decode("latin-1"))}"'


def connect(address: Address, tls: TlsPeer | None, deadline: float) -> Connection:
    """Connect to *address* before *deadline*; raises OSError."""
    opened = _connect_tcp(address, deadline)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(opened)
        if tls:
            with timeout_message("no TLS handshake in time; is that port plain TCP?"):
                session = TlsSession(opened, tls)
                session.handshake(deadline)
            return Connection(session)
    except BaseException:
        opened.close()
        raise
    return Connection(opened)


def _connect_tcp(address: Address, deadline: float) -> socket.socket:
    """Try each address of the host name, each for at most an equal share of the time left.

    The time limits of the resolver cannot be set here.
    """
    with timeout_message("no connection in time"):
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        problem: OSError = OSError("the name has no address")
        for at, (family, kind, protocol, _, sockaddr) in enumerate(found):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(seconds_left(deadline) / (len(found) - at))
                opened.connect(sockaddr)
            except OSError as error:
                opened.close()
                problem = error
            else:
                return opened
        raise problem


def _keep_alive(opened: socket.socket) -> None:
    """Let the kernel notice within two minutes that the peer of an idle connection is gone."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _unacknowledged(connected: socket.socket | TlsSession) -> int:
    """Return how many bytes the peer's kernel has not acknowledged; always 0 outside Linux."""
    if UNACKNOWLEDGED_QUERY is None:
        return 0
    return int(struct.unpack("i", fcntl.ioctl(connected, UNACKNOWLEDGED_QUERY, bytes(4)))[0])
