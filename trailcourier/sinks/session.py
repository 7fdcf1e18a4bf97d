"""A TLS session over a connected socket, used as a socket is.

``ssl.SSLSocket`` would do but for two things.  It cannot say good-bye without listening, and where
it listens it takes an alert, which says that something went wrong, for the other side's good-bye.
And it makes a system call of every 16 KiB.
"""

import contextlib
import socket
import ssl
from typing import NamedTuple

from trailcourier.sinks.deadline import left

PIECE = 262_144  # bytes encrypted before they are sent
READ = 65_536


class Tls(NamedTuple):
    """Whom to trust, and the *name* that the other side's certificate must have."""

    context: ssl.SSLContext
    name: str


class Session:
    """What a socket does, encrypted; raises OSError as one does, of which ssl.SSLError is a kind.

    The timeout set below holds for each system call.
    """

    def __init__(self, below: socket.socket, tls: Tls) -> None:
        self._below = below
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = tls.context.wrap_bio(self._arrived, self._leaving, server_hostname=tls.name)

    def shake_hands(self, deadline: float) -> None:
        while True:
            self._below.settimeout(left(deadline))
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
        self._below.settimeout(seconds)

    def getsockopt(self, level: int, option: int) -> int:
        return self._below.getsockopt(level, option)

    def fileno(self) -> int:
        return self._below.fileno()

    def send(self, data: memoryview) -> int:
        """Send the first piece of *data*, all of it, and say how long it was."""
        piece = data[:PIECE]
        done = 0
        while done < len(piece):
            done += self._session.write(piece[done:])
        self._flush()
        return done

    def recv(self, most: int) -> bytes:
        """Return some bytes of what was said, or none at the end, be there a good-bye or not."""
        while True:
            try:
                return self._session.read(most)
            except ssl.SSLWantReadError:
                self._flush()  # an answer to what is said under the surface
                if not self._fetch():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    def shutdown(self, how: int) -> None:
        """Say good-bye and end our side of the connection; what is said to us can still be read."""
        with contextlib.suppress(ssl.SSLWantReadError):  # nothing has been fetched for it to read
            self._session.unwrap()
        self._flush()
        self._below.shutdown(how)

    def close(self) -> None:
        self._below.close()

    def _fetch(self) -> bool:
        """Wait for bytes from below; False at their end."""
        data = self._below.recv(READ)
        self._arrived.write(data)
        return bool(data)

    def _flush(self) -> None:
        if self._leaving.pending:
            self._below.sendall(self._leaving.read())
