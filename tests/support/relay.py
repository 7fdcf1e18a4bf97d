"""A TCP relay on 127.0.0.1: counts round trips, gives a plain server TLS, or stalls."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator


class Relay:
    """Carries connections to *port*; *turns* is how often a client asked and was answered.

    An answer is held back for *patience* seconds, lest a request sent in parts count twice.
    """

    def __init__(self, port: int, context: ssl.SSLContext | None, patience: float) -> None:
        self.turns = 0
        self._target, self._context, self._patience = port, context, patience
        self._flows = threading.Event()
        self._flows.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Carry nothing until ``flow``: connections stand, and what is sent waits."""
        self._flows.clear()

    def flow(self) -> None:
        """Carry what waits, and what comes."""
        self._flows.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        # closed while we look at it, a socket is a ValueError to select and ssl
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            stack.callback(client.close)
            if self._context:
                client = stack.enter_context(self._context.wrap_socket(client, server_side=True))
            server = stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
            self._sockets += [client, server]
            self._exchange(client, server)

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        spoke = server
        while True:
            speaker = self._next(client, server)
            self._flows.wait()
            data = speaker.recv(1 << 20)
            if not data:
                return
            self.turns += speaker is client and spoke is server
            spoke = speaker
            (server if speaker is client else client).sendall(data)

    def _next(self, client: socket.socket, server: socket.socket) -> socket.socket:
        """Who is to be heard; an answer waits, so that a request in parts is heard as one."""
        if isinstance(client, ssl.SSLSocket) and client.pending():
            return client
        if client in select.select([client, server], [], [])[0]:
            return client
        return client if select.select([client], [], [], self._patience)[0] else server

    def close(self) -> None:
        self._flows.set()
        for each in [self._listening, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class LosingRelay(Relay):
    """A relay that drops the reply to the next request that has *loses* in it, and hangs up."""

    loses = b""

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        lost = False
        while True:
            speaker = self._next(client, server)
            data = speaker.recv(1 << 20)
            if not data or (lost and speaker is server):
                return
            if speaker is client and self.loses and self.loses in data:
                lost, self.loses = True, b""
            (server if speaker is client else client).sendall(data)


@contextlib.contextmanager
def relay(
    port: int, *, context: ssl.SSLContext | None = None, patience: float = 0.0
) -> Iterator[Relay]:
    """Relay to *port* while the context lasts; *patience* in seconds, see Relay."""
    started = Relay(port, context, patience)
    try:
        yield started
    finally:
        started.close()
