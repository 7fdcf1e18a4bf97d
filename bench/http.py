"""A small HTTP server for the stubs of AWS: keep-alive, one request at a time."""

import asyncio
import json
import signal
from collections.abc import Callable
from typing import NamedTuple

Reply = Callable[[bytes], None]
"""Sends a whole response; may be called later."""


class Request(NamedTuple):
    target: str
    head: bytes  # as received, in lower case
    body: bytes


Handler = Callable[[Request, Reply], None]


class _Connection(asyncio.Protocol):
    """One client, which waits for each response before its next request."""

    transport: asyncio.Transport

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        _, found, length = head.partition(b"content-length:")
        size = end + 4 + (int(length.split(b"\r\n", 1)[0]) if found else 0)
        if len(self._buffer) < size:
            return
        body, target = self._buffer[end + 4 : size], self._buffer[:end].split(b" ", 2)[1]
        self._buffer = self._buffer[size:]
        self._handler(Request(target.decode(), head, body), self._send)

    def _send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


def response(body: bytes, kind: str = "application/x-amz-json-1.0", **headers: str) -> bytes:
    """Return a whole response with *body*; in the names of *headers* ``_`` stands for ``-``."""
    more = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def serve(handler: Handler) -> None:
    """Serve on a free port of 127.0.0.1 until SIGTERM or SIGINT; print the URL as JSON."""
    asyncio.run(_serve(handler))


async def _serve(handler: Handler) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: _Connection(handler), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
    await ended.wait()
    server.close()
