"""A server on 127.0.0.1 that speaks Redis's protocol and answers commands as a test says."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import hiredis

ALWAYS = {"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n", "PING": b"+PONG\r\n"}
Answer = Callable[[str], bytes]


class RedisStub:
    """*answer* gives the reply to a command, by its name; *connections* is how many were made."""

    def __init__(self, answer: Answer) -> None:
        self.connections = 0
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            reader = hiredis.Reader()
            while data := client.recv(1 << 16):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    client.sendall(self._reply(command))

    def _reply(self, command: list[Any]) -> bytes:
        name = command[0].decode().upper()
        return ALWAYS.get(name) or self._answer(name)

    def close(self) -> None:
        for each in [self._listening, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def redis_stub(answer: Answer) -> Iterator[RedisStub]:
    """Serve while the context lasts."""
    started = RedisStub(answer)
    try:
        yield started
    finally:
        started.close()
