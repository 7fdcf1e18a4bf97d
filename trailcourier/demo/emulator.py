"""The emulated AWS: moto's server, a process of its own; prints its address.

It listens on the ADDRESS:PORT it is given, or on 127.0.0.1 where a port is free.

Beside AWS's protocols it answers ``/held?queue=NAME`` with the bodies a queue holds, which SQS
itself tells nobody without changing who sees them.
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
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the threads that would get them
    mend()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    aws = DomainDispatcherApplication(create_backend_app)
    host, _, port = (sys.argv[1] if sys.argv[1:] else "127.0.0.1:0").partition(":")
    server = make_server(
        host, int(port), beside(aws), threaded=True, request_handler=MotoRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    reached = "127.0.0.1" if ipaddress.IPv4Address(host).is_unspecified else host
    sys.stdout.write(f"http://{reached}:{server.server_port}\n")
    sys.stdout.flush()
    signal.sigwait(ends)


def mend() -> None:
    """Keep a receive from costing more the more messages wait, and deletes from undoing others.

    moto 5.2.5 computes every attribute of the queue for every message, and those count all
    messages: a receive of ten took 0.7 s with 1,000 waiting, and takes 0.02 s so.  A delete there
    puts a new list in place of the old one, and what another deleted meanwhile was back.
    """

    def fresh(self: Any, queue_name: str, message: Any) -> bool:
        kept = int(self.get_queue(queue_name).message_retention_period)
        return bool(message.sent_timestamp / 1000 + kept > time.time())

    sqs: Any = models
    unguarded = sqs.Queue.delete_message

    def delete(self: Any, receipt_handle: str) -> None:
        with self._messages_lock:
            unguarded(self, receipt_handle)

    sqs.Queue.delete_message = delete
    sqs.SQSBackend.is_message_valid_based_on_retention_period = fresh
    sqs.Message.visible = property(lambda self: time.time() * 1000 > self.visible_at)
    sqs.Message.delayed = property(lambda self: time.time() * 1000 < self.delayed_until)


def beside(aws: Any) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """*aws*, and ``/held`` beside it."""

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/held":
            held: Iterable[bytes] = aws(environ, start)
            return held
        (name,) = parse_qs(environ["QUERY_STRING"])["queue"]
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(bodies(name)).encode()]

    return answer


def bodies(queue: str) -> list[str]:
    """What lies in *queue*, in whatever region, visible or not."""
    regions = models.sqs_backends[DEFAULT_ACCOUNT_ID].values()
    found = [region.queues[queue] for region in regions if queue in region.queues]
    return [message.body for each in found for message in each._messages]  # noqa: SLF001 - no other way


if __name__ == "__main__":
    main()
