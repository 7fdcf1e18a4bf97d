"""The page of a process for who watches it: ``/metrics``, ``/livez`` and ``/readyz``.

It tells what is known already and asks nobody, so it answers while the broker or AWS hangs.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import CollectorRegistry

from trailcourier import observe

Trouble = Callable[[], str]
"""What is wrong, in a few words; empty where nothing is."""

PATIENCE = 10  # seconds for a request to arrive, so that a silent client holds no thread for ever


class Monitor:
    """A server in a thread of its own, until it is closed or the process ends."""

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
    """Serve on *host*:*port*; None, once it is said why, where that cannot be had.

    A process that carries records goes on unwatched rather than not at all.
    """
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, _page(registry, trouble, unready), kind, _Quiet)
    except (OSError, OverflowError) as error:
        observe.fact("not_watchable", address=f"{host}:{port}", why=str(error))
        return None
    return Monitor(server)


def _page(registry: CollectorRegistry, trouble: Trouble, unready: Trouble) -> Any:
    metrics = make_wsgi_app(registry)
    health = {"/livez": trouble, "/readyz": unready}

    def page(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _text(start, "405 Method Not Allowed", "this page is only read")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start)
            return answer
        if path in health:
            said = health[path]()
            return _text(start, "503 Service Unavailable" if said else "200 OK", said or "well")
        return _text(start, "404 Not Found", "here are /metrics, /livez and /readyz")

    return page


def _text(start: Any, status: str, said: str) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{said}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's asks DNS for a name of ours that nobody needs
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that left before its answer."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, *_: Any) -> None:
        """Log no requests."""
