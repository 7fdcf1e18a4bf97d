"""The other end of a TCP connection, as a test wants it to behave."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

HOST = "127.0.0.1"

Act = Callable[[socket.socket], object]


class Peer:
    """Does *act* with each connection, one after the other, and then closes it.

    *held* has it wait with that, the connection open and nothing read, until ``go``.
    """

    def __init__(self, listening: socket.socket, act: Act, *, held: bool) -> None:
        self.port: int = listening.getsockname()[1]
        self._act = act
        self._may, self._did = threading.Event(), threading.Event()
        self._ended = False
        if not held:
            self._may.set()

    def go(self) -> None:
        """Let it act, and wait until it has, and has closed the connection."""
        self._may.set()
        assert self._did.wait(20)

    def go_after(self, seconds: float) -> None:
        threading.Timer(seconds, self._may.set).start()

    def serve(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                if self._ended:
                    return
                connection.settimeout(20)
                self._may.wait(20)
                self._act(connection)
            self._did.set()

    def end(self) -> None:
        self._ended = True
        self._may.set()
        socket.create_connection((HOST, self.port), 20).close()  # which it is waiting for


@contextlib.contextmanager
def peer(act: Act, *, held: bool = False, window: int | None = None) -> Iterator[Peer]:
    """A Peer that listens; *window* is the size of its receive buffer, where that matters."""
    with socket.socket() as listening:
        if window:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        listening.bind((HOST, 0))
        listening.listen()
        one = Peer(listening, act, held=held)
        thread = threading.Thread(target=one.serve, args=[listening])
        thread.start()
        try:
            yield one
        finally:
            one.end()
            thread.join(30)


def read_all(connection: socket.socket) -> bytes:
    """Read to the end of the other side's bytes."""
    data = bytearray()
    while more := connection.recv(65536):
        data += more
    return bytes(data)


def reset(connection: socket.socket) -> None:
    """Break *connection*, whatever there is still to be read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def unused_port() -> int:
    """A port nobody listens on."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])
