"""The bench's side of the SQS stub: announce files, and count what the reader did."""

import contextlib
import http.client
import json
import re
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from bench.log_files import ACCOUNT

HANDLE = re.compile(rb'"ReceiptHandle": "([^"]+)"')


class Announcements:
    """One queue of the stub; objects are numbered, so none is announced twice."""

    def __init__(self, url: str, name: str) -> None:
        self.url = f"{url}/{ACCOUNT}/{name}"
        self._name = name
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        self._serial = 0

    def put(self, events: int, messages: int, objects: int = 1) -> dict[str, int]:
        """Send *messages* messages, each of *objects* new files with *events* events."""
        serial = self._serial
        self._serial += messages * objects
        given = {"events": events, "serial": serial, "count": messages, "objects": objects}
        counts: dict[str, int] = self._ask("put", **given)
        return counts

    def pace(self, events: int, rate: float, seconds: float) -> None:
        """Announce *rate* new files a second, one by one, for that many seconds."""
        serial = self._serial
        self._serial += int(rate * seconds)
        self._ask("pace", events=events, serial=serial, rate=rate, seconds=seconds)

    def set_receive_sizes(self, *sizes: int) -> None:
        """Limit the messages that a receive returns to these *sizes*, in turn."""
        self._ask("set_receive_sizes", sizes=sizes)

    def sent(self) -> dict[str, float]:
        """Return when each file of ``pace`` was announced, by its name."""
        sent: dict[str, float] = self._ask("sent")
        return sent

    def counts(self) -> dict[str, int]:
        """Return how many messages are ``deleted``, ``waiting`` and ``held``."""
        counts: dict[str, int] = self._ask("counts")
        return counts

    def close(self) -> None:
        """Answer every waiting receive, and let no later one wait."""
        self._ask("close")
        self._http.close()

    def _ask(self, do: str, **given: Any) -> Any:
        body = json.dumps({"do": do, "queue": self._name, **given})
        self._http.request("POST", "/control", body)
        return json.load(self._http.getresponse())


def measure_stub_rate(url: str, messages: int = 20_000) -> float:
    """Return how many messages a second the stub sends and deletes, by tens, for one client."""
    address = urlsplit(url)
    with (
        contextlib.closing(Announcements(url, "stub-rate")) as queue,
        socket.create_connection((address.hostname, address.port), timeout=10) as connection,
    ):
        queue.put(20, messages)
        begin = time.perf_counter()
        receive = {"QueueUrl": queue.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}
        while handles := HANDLE.findall(_call(connection, "ReceiveMessage", receive)):
            entries = [{"Id": str(i), "ReceiptHandle": h.decode()} for i, h in enumerate(handles)]
            delete = {"QueueUrl": queue.url, "Entries": entries}
            _call(connection, "DeleteMessageBatch", delete)
        return messages / (time.perf_counter() - begin)


def _call(connection: socket.socket, action: str, parameters: dict[str, Any]) -> bytes:
    body = json.dumps(parameters).encode()
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {len(body)}"
    connection.sendall(head.encode() + b"\r\n\r\n" + body)
    data = b""
    while True:
        received = connection.recv(65_536)
        if not received:
            raise ConnectionError("the SQS stub has ended")
        data += received
        at = data.find(b"\r\n\r\n")
        if at >= 0:
            length = int(data[:at].partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            if len(data) >= at + 4 + length:
                return data[at + 4 :]
