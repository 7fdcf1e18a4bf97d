"""A small HTTP server for stubs: keep-alive, faults on demand, thousands of requests a second.

It runs in a thread of its own.  What it serves is told by one function, which answers at once or,
for a long poll, later.
"""

import asyncio
import dataclasses
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

REASONS = {
    200: b"OK",
    204: b"No Content",
    206: b"Partial Content",
    301: b"Moved Permanently",
    304: b"Not Modified",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}


class Request(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    peer: int  # the client's port


class Reply(NamedTuple):
    """An answer; *cut* is how many bytes of the body go out before the connection breaks."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    length: int | None = None  # Content-Length of a HEAD


Answer = Callable[[Request], "Reply | Awaitable[Reply | None] | None"]


@dataclasses.dataclass
class Fault:
    """What goes wrong, for *what*: an action, a key, or ``*``.

    Without *after* the request has no effect; with it, it has, and only the answer goes wrong.
    """

    what: str
    code: str = ""  # an error answer
    status: int = 400
    message: str = "as asked for"
    headers: tuple[tuple[str, str], ...] = ()
    page: bytes = b""  # a web page that something between answers with, and *status*
    hang: bool = False  # no answer until the client gives up
    reset: bool = False  # the connection is reset
    delay: float = 0  # seconds before the answer
    gate: asyncio.Event | None = None  # no answer before it is set
    cut: int | None = None  # bytes of the body that still arrive
    after: bool = False
    skip: int = 0  # requests that go well first
    times: int = 1  # requests that go wrong; -1 for all
    met: int = 0  # requests it met so far


class Faults:
    """The faults that are set; the first that fits a request is taken."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._set.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._set.clear()

    def take(self, what: str) -> Fault | None:
        if not self._set:
            return None
        with self._lock:
            return next((fault for fault in self._set if self.meets(fault, what)), None)

    @staticmethod
    def meets(fault: Fault, what: str) -> bool:
        if fault.what not in (what, "*") or fault.times == 0:
            return False
        if fault.skip:
            fault.skip -= 1
            return False
        fault.times -= fault.times > 0
        fault.met += 1
        return True


async def spoil(fault: Fault, reply: Reply) -> Reply | None:
    """*reply* as *fault* lets it through; None resets the connection."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.gate is not None:
        await fault.gate.wait()
    if fault.hang:
        await asyncio.Event().wait()
    if fault.page:
        reply = Reply(fault.status, fault.page, (("Content-Type", "text/html"),))
    return None if fault.reset else reply._replace(cut=fault.cut)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, answer: Answer, connections: set["_Connection"]) -> None:
        self._answer = answer
        self._connections = connections
        self._buffer = b""
        self._head: tuple[str, str, dict[str, str], int] | None = None
        self._waiting: asyncio.Future[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._peer: int = transport.get_extra_info("peername")[1]
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        """Serve the next whole request; one at a time, in order."""
        while self._waiting is None and (request := self._request()) is not None:
            answer = self._answer(request)
            if answer is None or isinstance(answer, Reply):
                self._send(answer, head=request.method == "HEAD")
                continue
            self._waiting = asyncio.ensure_future(answer)
            self._waiting.add_done_callback(
                lambda done, head=request.method == "HEAD": self._later(done, head=head)
            )

    def _later(self, done: "asyncio.Future[Reply | None]", *, head: bool) -> None:
        self._waiting = None
        if done.cancelled():
            return
        self._send(done.result(), head=head)
        self._next()

    def _request(self) -> Request | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._head = self._parsed(self._buffer[:end])
            self._buffer = self._buffer[end + 4 :]
            if "expect" in self._head[2]:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers, length = self._head
        if len(self._buffer) < length:
            return None
        body, self._buffer, self._head = self._buffer[:length], self._buffer[length:], None
        return Request(method, target, headers, body, self._peer)

    @staticmethod
    def _parsed(head: bytes) -> tuple[str, str, dict[str, str], int]:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return method, target, headers, int(headers.get("content-length", 0))

    def _send(self, reply: Reply | None, *, head: bool) -> None:
        if reply is None:
            self.transport.abort()
            return
        length = len(reply.body) if reply.length is None else reply.length
        lines = [b"HTTP/1.1 %d %s" % (reply.status, REASONS.get(reply.status, b"Odd"))]
        lines += [f"{name}: {value}".encode() for name, value in reply.headers]
        body = b"" if head else reply.body
        lines += [b"Content-Length: %d" % length, b"", body[: reply.cut]]
        self.transport.write(b"\r\n".join(lines))
        if reply.cut is not None:
            self.transport.close()


class Server:
    """Serves *answer* on a free port of 127.0.0.1, in a thread, until it is closed."""

    def __init__(self, answer: Answer, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._connections: set[_Connection] = set()
        self.loop = asyncio.new_event_loop()
        self.port = port
        self._listen()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def call(self, do: Callable[..., Any], *arguments: Any) -> Any:
        """Run *do* in the server's thread, where its state is, and give what it returns."""

        async def once() -> Any:
            return do(*arguments)

        return asyncio.run_coroutine_threadsafe(once(), self.loop).result(10)

    def refuse(self) -> None:
        """Stop listening and break every connection, as a server that died."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self.loop).result(10)

    def resume(self) -> None:
        """Listen on the same port again."""
        asyncio.run_coroutine_threadsafe(self._listening(), self.loop).result(10)

    def close(self) -> None:
        if not self.loop.is_closed():
            self.refuse()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(10)
            self.loop.run_until_complete(self._cancel(asyncio.all_tasks(self.loop)))
            self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        self.loop.run_until_complete(self._listening())

    def _connection(self) -> asyncio.Protocol:
        return _Connection(self._answer, self._connections)

    async def _listening(self) -> None:
        self._socket = await self.loop.create_server(
            self._connection,
            "127.0.0.1",
            self.port,
            ssl=self._tls,
        )
        self.port = self._socket.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        # what is being accepted while its server closes, Python forgets, and complains much later
        for listening in self._socket.sockets:
            self.loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)
        self._socket.close()
        for _ in range(5):  # what was just accepted is a connection some rounds later
            for connection in tuple(self._connections):
                connection.transport.abort()
            await asyncio.sleep(0)

    async def _cancel(self, tasks: set["asyncio.Task[Any]"]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # a connection that was just being accepted is closed rounds later
            await asyncio.sleep(0)
