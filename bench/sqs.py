"""A fast stub of the SQS calls that the line makes: ``python -m bench.sqs``.

The last part of a queue's URL is its name.  As in SQS, a receipt handle belongs to one receive.
Visibility never ends, so a message is delivered once unless it is released.
"""

import asyncio
import hashlib
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from bench.http import Reply, Request, response, serve
from bench.log_files import log_file_name, notification_body

Arguments = dict[str, Any]
StoredMessage = tuple[bytes, str]  # the JSON of what does not change, and the message's id

EMPTY = response(b"{}")


class Queue:
    """One queue: the messages that wait, those held by receipt handle, the receives that wait."""

    def __init__(self) -> None:
        self.deleted = 0
        self.receive_sizes: Iterator[int] = itertools.repeat(10)  # most messages of each receive
        self.sent: dict[str, float] = {}  # when each object of ``pace`` was announced
        self._waiting: deque[StoredMessage] = deque()
        self._held: dict[str, StoredMessage] = {}
        self._handles = itertools.count()
        self._receivers: deque[tuple[int, Reply, asyncio.TimerHandle]] = deque()
        self._closed = False

    def close(self) -> None:
        """Answer every waiting receive, and let no later one wait, so that a reader can stop."""
        self._closed = True
        while self._receivers:
            _, reply, wait = self._receivers.popleft()
            wait.cancel()
            reply(EMPTY)

    def put(self, events: int, serial: int, count: int, objects: int) -> None:
        """Send *count* messages of *objects* files of *events* events; *serial* is the first."""
        for first in range(serial, serial + count * objects, objects):
            names = [log_file_name(events, number) for number in range(first, first + objects)]
            self.send(notification_body(names), f"{events:08x}-0000-4000-8000-{first:012x}")
        self._wake()

    def send(self, text: str, id_: str) -> None:
        md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        attributes = {"SentTimestamp": str(int(time.time() * 1000)), "ApproximateReceiveCount": "1"}
        fields = {"MessageId": id_, "MD5OfBody": md5, "Body": text, "Attributes": attributes}
        self._waiting.append((json.dumps(fields).encode()[1:], id_))

    def pace(self, events: int, serial: int, rate: float, seconds: float) -> None:
        """Announce *rate* files a second, one by one, and record when each was sent."""
        loop, begin = asyncio.get_running_loop(), time.monotonic()

        def announce_due() -> None:
            passed = min(time.monotonic() - begin, seconds)
            while len(self.sent) < int(passed * rate):
                number = serial + len(self.sent)
                self.sent[log_file_name(events, number)] = time.time()
                self.put(events, number, 1, 1)
            if passed < seconds:
                loop.call_later(1 / rate, announce_due)

        self.sent.clear()
        announce_due()

    def receive(self, arguments: Arguments, reply: Reply) -> None:
        most = min(int(arguments.get("MaxNumberOfMessages", 1)), next(self.receive_sizes))
        if self._waiting:
            reply(self._take(most))
            return
        seconds = 0.05 if self._closed else float(arguments.get("WaitTimeSeconds", 0))
        wait = asyncio.get_running_loop().call_later(seconds, self._give_up, reply)
        self._receivers.append((most, reply, wait))

    def delete(self, handle: str) -> None:
        self.deleted += self._held.pop(handle, None) is not None

    def change_visibility(self, handle: str, seconds: int) -> None:
        if seconds == 0 and handle in self._held:
            self._waiting.append(self._held.pop(handle))
            self._wake()

    def counts(self) -> dict[str, int]:
        return {
            "deleted": self.deleted, "waiting": len(self._waiting), "held": len(self._held),
        }  # fmt: skip

    def _wake(self) -> None:
        while self._waiting and self._receivers:
            most, reply, wait = self._receivers.popleft()
            wait.cancel()
            reply(self._take(most))

    def _give_up(self, reply: Reply) -> None:
        self._receivers = deque(each for each in self._receivers if each[1] != reply)
        reply(EMPTY)

    def _take(self, most: int) -> bytes:
        parts = []
        for _ in range(min(most, len(self._waiting))):
            stored = self._waiting.popleft()
            handle = f"AQEB{next(self._handles):012x}{stored[1].replace('-', '')}"
            self._held[handle] = stored
            parts.append(b'{"ReceiptHandle": "%s", %s' % (handle.encode(), stored[0]))
        return response(b'{"Messages": [%s]}' % b", ".join(parts))


class Stub:
    """All queues; a queue is created when it is first named."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}
        self._batches: dict[str, Callable[[Queue, Arguments], None]] = {
            "deletemessagebatch": lambda queue, entry: queue.delete(entry["ReceiptHandle"]),
            "changemessagevisibilitybatch": lambda queue, entry: queue.change_visibility(
                entry["ReceiptHandle"], int(entry["VisibilityTimeout"])
            ),
        }

    def answer(self, request: Request, reply: Reply) -> None:
        arguments: Arguments = json.loads(request.body or b"{}")
        if request.target == "/control":
            reply(response(json.dumps(self._control(**arguments)).encode()))
            return
        action = request.head.partition(b"x-amz-target: amazonsqs.")[2].partition(b"\r\n")[0]
        queue = self._queue(str(arguments["QueueUrl"]).rpartition("/")[2])
        self._act(action.decode(), queue, arguments, reply)

    def _act(self, action: str, queue: Queue, arguments: Arguments, reply: Reply) -> None:
        if action == "receivemessage":
            queue.receive(arguments, reply)
        elif apply := self._batches.get(action):
            for entry in arguments["Entries"]:
                apply(queue, entry)
            done = [{"Id": entry["Id"]} for entry in arguments["Entries"]]
            reply(response(json.dumps({"Successful": done, "Failed": []}).encode()))
        elif apply := self._batches.get(f"{action}batch"):
            apply(queue, arguments)
            reply(EMPTY)
        else:  # GetQueueAttributes
            counts = queue.counts()
            attributes = {
                "ApproximateNumberOfMessages": str(counts["waiting"]),
                "ApproximateNumberOfMessagesNotVisible": str(counts["held"]),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
            reply(response(json.dumps({"Attributes": attributes}).encode()))

    def _control(self, do: str, queue: str, **parameters: Any) -> Any:
        """Do what the bench asks for."""
        target = self._queue(queue)
        match do:
            case "put":
                target.put(**parameters)
            case "pace":
                target.pace(**parameters)
            case "set_receive_sizes":
                target.receive_sizes = itertools.cycle(parameters["sizes"])
            case "sent":
                return target.sent
            case "close":
                target.close()
            case _:  # counts
                pass
        return target.counts()

    def _queue(self, name: str) -> Queue:
        return self._queues.setdefault(name, Queue())


if __name__ == "__main__":
    serve(Stub().answer)
