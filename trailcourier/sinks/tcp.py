"""One connection over TCP or TLS, on which it can be known how far the other side is.

That the kernel took what was written says nothing: it took 60 kB for a peer that had read nothing
and then broke the connection.  Two things say more.  ``acknowledged``: the other side's kernel has
every byte, and the connection is still open.  ``finish``: the program there has read every byte,
for it ended its own side after it had met the end of ours.
"""

import contextlib
import fcntl
import socket
import struct
import sys
import termios
import time
from typing import NamedTuple, Self

from trailcourier.printable import printable
from trailcourier.sinks.deadline import left, within
from trailcourier.sinks.session import Session, Tls

# SIOCOUTQ, by the name and so the number that every architecture of Linux gives it
QUEUE = termios.TIOCOUTQ if sys.platform == "linux" else None
FIRST_PAUSE = 0.0001  # seconds; about a round trip between two hosts of one network
LONGEST_PAUSE = 0.02
OVERTAKEN = 1.0  # seconds; a kernel says what it has within a fifth of one, and the way adds to it
HEARD = 100  # bytes of what the other side says, for a person
READS = 64  # at one look; what says more than so many times 4 KiB is no receiver of lines
_ALERT = b"\x15\x03"  # how TLS begins to say that it did not understand


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connection:
    """One open connection; used by one thread at a time, and by none after an error.

    Everything raises OSError: TimeoutError where *deadline*, of ``time.monotonic``, has passed.
    """

    def __init__(self, connected: socket.socket | Session) -> None:
        self._socket = connected
        self._heard = b""

    def write(self, data: bytes, deadline: float) -> None:
        """Let the kernel take all of *data*."""
        rest = memoryview(data)
        with within("the other side did not take all of it in time"):
            while rest:
                self._socket.settimeout(left(deadline))
                rest = rest[self._socket.send(rest) :]

    def look(self) -> None:
        """Raise if the other side has ended the connection, or broke it.

        What it says is read, never waited for: behind it its end would not be seen.  TLS talks
        under the surface, of tickets and keys; that is no end.
        """
        self._socket.settimeout(0)
        for _ in range(READS):
            try:
                heard = self._socket.recv(4096)
            except BlockingIOError:
                break
            if not heard:
                raise ConnectionResetError(f"the other side ended the connection{self._said()}")
            self._hear(heard)
        else:
            raise ConnectionAbortedError(f"it talks, as no receiver of lines does{self._said()}")
        self._check()

    def acknowledged(self, deadline: float) -> None:
        """Wait until the other side's kernel has every byte and the connection is still open."""
        pause = FIRST_PAUSE
        with within("not all of it was acknowledged in time"):
            # no event tells when that queue gets empty, so it is looked at again and again; after a
            # reset it never does
            while _unacknowledged(self._socket):
                self.look()
                time.sleep(min(pause, left(deadline)))
                pause = min(2 * pause, LONGEST_PAUSE)
        self.look()

    def finish(self, deadline: float) -> None:
        """End our side, and wait until the program at the other one has read all and ended its own.

        A program that dies with something unread has its kernel break the connection instead; one
        that dies before our last byte arrives leaves this unacknowledged.  And one that answers is
        no receiver of lines: an HTTP server reads to the end as well, to say that it understood
        nothing.
        """
        with within("the other side did not read all and end its side in time; see `accept_when`"):
            self._socket.settimeout(left(deadline))
            self._socket.shutdown(socket.SHUT_WR)
            while heard := self._socket.recv(4096):
                self._hear(heard)
                self._socket.settimeout(left(deadline))
        self._demand_all(deadline)
        if self._heard:
            raise ConnectionAbortedError(f"it answers, as no receiver of lines does{self._said()}")

    def _demand_all(self, deadline: float) -> None:
        """Raise unless the other side's kernel has every byte, a moment after its end at most.

        Over TLS its good-bye answers ours, and may overtake the word that our end has come too.
        """
        pause, ends = FIRST_PAUSE, min(deadline, time.monotonic() + OVERTAKEN)
        while True:
            self._check()
            if not _unacknowledged(self._socket):
                return
            if time.monotonic() >= ends:
                raise ConnectionResetError(f"the other side ended before it had all{self._said()}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Let go; never raises.

        What the kernel still holds may yet arrive, and again with the next try.  To break the
        connection would prevent that, and could take with it what was accepted and is not yet read.
        """
        with contextlib.suppress(OSError):
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, f"the connection broke{self._said()}")

    def _hear(self, heard: bytes) -> None:
        self._heard = (self._heard + heard)[:HEARD]

    def _said(self) -> str:
        if self._heard.startswith(_ALERT):
            return "; it speaks TLS, so set `tls = true`"
        if not self._heard:
            return ""
        return f'; it said "{printable(self._heard.decode("latin-1"))}"'


def connect(address: Address, tls: Tls | None, deadline: float) -> Connection:
    """Connect to *address* before *deadline*; raises OSError."""
    opened = _connected(address, deadline)
    try:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(opened)
        if tls:
            with within("no TLS handshake in time; is that port plain TCP?"):
                session = Session(opened, tls)
                session.shake_hands(deadline)
            return Connection(session)
    except BaseException:
        opened.close()
        raise
    return Connection(opened)


def _connected(address: Address, deadline: float) -> socket.socket:
    """Try each address the name has, none of them for longer than its share of the time left.

    The resolver has time limits of its own, which cannot be set from here.
    """
    with within("no connection in time"):
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        problem: OSError = OSError("the name has no address")
        for at, (family, kind, protocol, _, place) in enumerate(found):
            one = socket.socket(family, kind, protocol)
            try:
                one.settimeout(left(deadline) / (len(found) - at))
                one.connect(place)
            except OSError as error:
                one.close()
                problem = error
            else:
                return one
        raise problem


def _keep_alive(one: socket.socket) -> None:
    """Have the kernel find out within two minutes that an idle connection's other end is gone."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _unacknowledged(one: socket.socket | Session) -> int:
    """Return how many bytes the other side's kernel has not acknowledged; 0 where none can tell."""
    if QUEUE is None:
        return 0
    return int(struct.unpack("i", fcntl.ioctl(one, QUEUE, bytes(4)))[0])
