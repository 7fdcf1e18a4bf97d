"""Serves ``/metrics``, ``/livez`` and ``/readyz`` of one process.

It serves what the process knows already, so it answers while the broker or AWS hangs.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import CollectorRegistry

from trailcourier.observability import log

Trouble = Callable[[], str]
"""Returns what is wrong in a few words, or an empty string."""

REQUEST_TIMEOUT = 10  # seconds for a request to arrive, so that a silent client blocks no thread


class Monitor:
    """An HTTP server in its own thread, until it is closed or the process ends."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server
        self.port: int = server.server_port
        self._thread = threading.Thread(target=server.serve_forever, name="monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(
    host: str, port: int, registry: CollectorRegistry, *, trouble: Trouble, unready: Trouble
) -> Monitor | None:
    """Serve on *host*:*port*; return None, and log why, if the address cannot be used.

    A process without this server still delivers records, so that is no reason to end it.
    """
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, _page(registry, trouble, unready), kind, _Quiet)
    except (OSError, OverflowError) as error:
        log.emit("not_watchable", address=f"{host}:{port}", why=str(error))
        return None
    return Monitor(server)


def _page(registry: CollectorRegistry, trouble: Trouble, unready: Trouble) -> Any:
    metrics = make_wsgi_app(registry)
    health = {"/livez": trouble, "/readyz": unready}

    def page(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _text(start, "405 Method Not Allowed", "use GET or HEAD")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start)
            return answer
        if path in health:
            why = health[path]()
            return _text(start, "503 Service Unavailable" if why else "200 OK", why or "well")
        return _text(start, "404 Not Found", "the pages are /metrics, /livez and /readyz")

    return page


def _text(start: Any, status: str, text: str) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer.server_bind looks up this host's name in DNS
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, *_: Any) -> None:
        """Do not print a traceback for a client that left before its answer."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT

    def log_message(self, *_: Any) -> None:
        """Do not log requests."""
