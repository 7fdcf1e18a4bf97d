"""A TLS session over a connected socket, with the methods of a socket.

``ssl.SSLSocket`` has two faults here.  It cannot send its close_notify without reading, and when it
reads, it takes an alert that reports an error for the other side's close_notify.  And it makes one
system call for every 16 KiB.
"""

import contextlib
import socket
import ssl
from typing import NamedTuple

from trailcourier.sinks.deadline import seconds_left

MAX_PLAINTEXT = 262_144  # bytes encrypted before they are sent
READ_SIZE = 65_536


class TlsPeer(NamedTuple):
    """The *context* to connect with, and the *name* that the peer's certificate must have."""

    context: ssl.SSLContext
    name: str


class TlsSession:
    """An encrypted socket; raises OSError as a socket does, and ssl.SSLError, a subclass of it.

    The timeout applies to each system call of the socket below.
    """

    def __init__(self, connected: socket.socket, peer: TlsPeer) -> None:
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = peer.context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=peer.name
        )

    def handshake(self, deadline: float) -> None:
        while True:
            self._socket.settimeout(seconds_left(deadline))
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch():
                    raise ConnectionResetError("the other side ended the connection") from None
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # an alert, so that the other side's log says why
                raise
            else:
                self._flush()
                return

    def settimeout(self, seconds: float) -> None:
        self._socket.settimeout(seconds)

    def getsockopt(self, level: int, option: int) -> int:
        return self._socket.getsockopt(level, option)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: memoryview) -> int:
        """Send the first ``MAX_PLAINTEXT`` bytes of *data*, and return how many these are."""
        piece = data[:MAX_PLAINTEXT]
        done = 0
        while done < len(piece):
            done += self._session.write(piece[done:])
        self._flush()
        return done

    def recv(self, size: int) -> bytes:
        """Return at most *size* bytes; none at the end, with or without a close_notify."""
        while True:
            try:
                return self._session.read(size)
            except ssl.SSLWantReadError:
                self._flush()  # an answer to a TLS message, such as a key update
                if not self._fetch():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    def shutdown(self, how: int) -> None:
        """Send close_notify and end this side of the connection; the other can still be read."""
        with contextlib.suppress(ssl.SSLWantReadError):  # the peer's close_notify is not there yet
            self._session.unwrap()
        self._flush()
        self._socket.shutdown(how)

    def close(self) -> None:
        self._socket.close()

    def _fetch(self) -> bool:
        """Wait for bytes from the socket; False at their end."""
        data = self._socket.recv(READ_SIZE)
        self._incoming.write(data)
        return bool(data)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())
