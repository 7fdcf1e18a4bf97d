"""The bench's side of the SQS stub: what it announces, and how far its reader is."""

import contextlib
import http.client
import json
import re
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from bench.notices import ACCOUNT

HANDLE = re.compile(rb'"ReceiptHandle": "([^"]+)"')


class Announcements:
    """One queue of the stub; objects are numbered so that none is announced twice."""

    def __init__(self, url: str, called: str) -> None:
        self.url = f"{url}/{ACCOUNT}/{called}"
        self._called = called
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        self._serial = 0

    def put(self, events: int, messages: int, objects: int = 1) -> dict[str, int]:
        """Announce *messages* of *objects* new files with so many *events*."""
        serial = self._serial
        self._serial += messages * objects
        given = {"events": events, "serial": serial, "count": messages, "objects": objects}
        counts: dict[str, int] = self._ask("put", **given)
        return counts

    def pace(self, events: int, rate: float, seconds: float) -> None:
        """Announce one new file after the other, *rate* a second, for so many seconds."""
        serial = self._serial
        self._serial += int(rate * seconds)
        self._ask("pace", events=events, serial=serial, rate=rate, seconds=seconds)

    def most(self, *most: int) -> None:
        """Let receives bring at most so many messages, these numbers in turn."""
        self._ask("most", most=most)

    def sent(self) -> dict[str, float]:
        """When each file announced at a pace was announced, by its name."""
        sent: dict[str, float] = self._ask("sent")
        return sent

    def counts(self) -> dict[str, int]:
        """How many messages are ``deleted``, ``waiting`` and ``held``."""
        counts: dict[str, int] = self._ask("counts")
        return counts

    def close(self) -> None:
        """Let no receive wait any longer."""
        self._ask("close")
        self._http.close()

    def _ask(self, do: str, **given: Any) -> Any:
        body = json.dumps({"do": do, "queue": self._called, **given})
        self._http.request("POST", "/control", body)
        return json.load(self._http.getresponse())


def ceiling(url: str, messages: int = 20_000) -> float:
    """How many messages a second the stub gives out and deletes, by tens, to one small client."""
    place = urlsplit(url)
    with (
        contextlib.closing(Announcements(url, "ceiling")) as queue,
        socket.create_connection((place.hostname, place.port), timeout=10) as connection,
    ):
        queue.put(20, messages)
        begin = time.perf_counter()
        asked = {"QueueUrl": queue.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}
        while handles := HANDLE.findall(_call(connection, "ReceiveMessage", asked)):
            entries = [{"Id": str(i), "ReceiptHandle": h.decode()} for i, h in enumerate(handles)]
            gone = {"QueueUrl": queue.url, "Entries": entries}
            _call(connection, "DeleteMessageBatch", gone)
        return messages / (time.perf_counter() - begin)


def _call(connection: socket.socket, action: str, asked: dict[str, Any]) -> bytes:
    body = json.dumps(asked).encode()
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {len(body)}"
    connection.sendall(head.encode() + b"\r\n\r\n" + body)
    data = b""
    while True:
        came = connection.recv(65_536)
        if not came:
            raise ConnectionError("the SQS stub has ended")
        data += came
        at = data.find(b"\r\n\r\n")
        if at >= 0:
            length = int(data[:at].partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            if len(data) >= at + 4 + length:
                return data[at + 4 :]
