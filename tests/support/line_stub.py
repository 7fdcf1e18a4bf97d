"""A receiver of lines over TCP or TLS: reads all it gets, and ends its side at the end of ours."""

import asyncio
import ssl

from tests.support import http_stub


class _Lines(asyncio.Protocol):
    """One connection; what stands after its last line break when it ends is torn."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.met += 1
        self._server.keep(self)

    def data_received(self, data: bytes) -> None:
        self._server.bytes += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._server.whole += whole

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.torn += [self._rest] if self._rest else []
        self._server.lose(self)


class Server(http_stub.Server):
    """*met* is how many connections there were, *whole* and *torn* what they brought."""

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.met = 0
        self.bytes = 0
        self.whole: list[bytes] = []
        self.torn: list[bytes] = []
        super().__init__(lambda _: None, port=port, tls=tls)

    def lines(self) -> list[bytes]:
        """Every whole line that has arrived here, read or not yet read."""
        asyncio.run_coroutine_threadsafe(self._all_read(), self.loop).result(30)
        return list(self.whole)

    def hang_up(self) -> None:
        """Break every connection; new ones are welcome."""
        self.call(self._break)
        self.call(lambda: None)  # closed one round later

    def keep(self, connection: _Lines) -> None:
        self._connections.add(connection)

    def lose(self, connection: _Lines) -> None:
        self._connections.discard(connection)

    def _connection(self) -> asyncio.Protocol:
        return _Lines(self)

    def _break(self) -> None:
        for connection in tuple(self._connections):
            connection.transport.abort()

    async def _all_read(self) -> None:
        """Go round until nothing comes any more; each round reads whatever socket has something."""
        quiet = 0
        while quiet < 20:  # to accept a connection takes some rounds too
            before = self.bytes
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.bytes == before else 0
