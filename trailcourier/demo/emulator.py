"""The emulated AWS: moto's server in a process of its own, which prints its URL.

It listens on the given ADDRESS:PORT, or on a free port of 127.0.0.1.

``/queue-bodies?queue=NAME`` returns the bodies of all messages in a queue.  SQS itself cannot list
them without changing their visibility.
"""

import ipaddress
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sqs import models
from werkzeug.serving import make_server

Start = Callable[[str, list[tuple[str, str]]], object]


def main() -> None:
    """Serve until SIGTERM."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # threads started later inherit the mask
    patch_moto()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one log line for each request
    aws = DomainDispatcherApplication(create_backend_app)
    host, _, port = (sys.argv[1] if sys.argv[1:] else "127.0.0.1:0").partition(":")
    server = make_server(
        host, int(port), with_queue_listing(aws), threaded=True, request_handler=MotoRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    local = "127.0.0.1" if ipaddress.IPv4Address(host).is_unspecified else host
    sys.stdout.write(f"http://{local}:{server.server_port}\n")
    sys.stdout.flush()
    signal.sigwait(stops)


def patch_moto() -> None:
    """Make a receive's cost independent of the queue's length, and deletes safe for threads.

    moto 5.2.5 computes every attribute of the queue for every message, and these count all
    messages: a receive of ten took 0.7 s with 1,000 waiting, and takes 0.02 s with this patch.  Its
    delete replaces the list of messages, so a message that another thread deleted meanwhile came
    back.
    """

    def is_retained(self: Any, queue_name: str, message: Any) -> bool:
        retention = int(self.get_queue(queue_name).message_retention_period)
        return bool(message.sent_timestamp / 1000 + retention > time.time())

    sqs: Any = models
    delete_unlocked = sqs.Queue.delete_message

    def delete_locked(self: Any, receipt_handle: str) -> None:
        with self._messages_lock:
            delete_unlocked(self, receipt_handle)

    sqs.Queue.delete_message = delete_locked
    sqs.SQSBackend.is_message_valid_based_on_retention_period = is_retained
    sqs.Message.visible = property(lambda self: time.time() * 1000 > self.visible_at)
    sqs.Message.delayed = property(lambda self: time.time() * 1000 < self.delayed_until)


def with_queue_listing(aws: Any) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """Return the WSGI application *aws* with ``/queue-bodies`` added."""

    def serve(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/queue-bodies":
            response: Iterable[bytes] = aws(environ, start)
            return response
        (name,) = parse_qs(environ["QUERY_STRING"])["queue"]
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(queue_bodies(name)).encode()]

    return serve


def queue_bodies(queue: str) -> list[str]:
    """Return the bodies of all messages in *queue*, of any region, visible or not."""
    regions = models.sqs_backends[DEFAULT_ACCOUNT_ID].values()
    found = [region.queues[queue] for region in regions if queue in region.queues]
    return [message.body for each in found for message in each._messages]  # noqa: SLF001 - moto has no public list


if __name__ == "__main__":
    main()
