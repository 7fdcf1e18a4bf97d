"""SQS as far as the line speaks to it, fast: ``python -m bench.sqs`` is a process of its own.

A queue is what the last part of its URL says.  Receipt handles are real ones: each is of one
receive.  Leases do not end, so a message is delivered once, unless it is handed back.
"""

import asyncio
import hashlib
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from bench.http import Reply, Request, answer, serve
from bench.notices import body, name

Arguments = dict[str, Any]
Known = tuple[bytes, str]  # a message: all of it that does not change, and its id

EMPTY = answer(b"{}")


class Queue:
    """One queue: what waits, what is held and by which handle, and who waits for more."""

    def __init__(self) -> None:
        self.deleted = 0
        self.most: Iterator[int] = itertools.repeat(10)  # messages each receive may bring
        self.sent: dict[str, float] = {}  # of each object announced at a pace: when
        self._waiting: deque[Known] = deque()
        self._held: dict[str, Known] = {}
        self._handles = itertools.count()
        self._receivers: deque[tuple[int, Reply, asyncio.TimerHandle]] = deque()
        self._closed = False

    def close(self) -> None:
        """Keep nobody waiting any more, so that who is asked to stop can."""
        self._closed = True
        while self._receivers:
            _, reply, wait = self._receivers.popleft()
            wait.cancel()
            reply(EMPTY)

    def put(self, events: int, serial: int, count: int, objects: int) -> None:
        """Announce *count* times *objects* files of *events*, beginning with number *serial*."""
        for first in range(serial, serial + count * objects, objects):
            names = [name(events, number) for number in range(first, first + objects)]
            self.send(body(names), f"{events:08x}-0000-4000-8000-{first:012x}")
        self._wake()

    def send(self, text: str, id_: str) -> None:
        md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        attributes = {"SentTimestamp": str(int(time.time() * 1000)), "ApproximateReceiveCount": "1"}
        told = {"MessageId": id_, "MD5OfBody": md5, "Body": text, "Attributes": attributes}
        self._waiting.append((json.dumps(told).encode()[1:], id_))

    def pace(self, events: int, serial: int, rate: float, seconds: float) -> None:
        """Announce one file after the other, *rate* a second, and note when each was sent."""
        loop, begin = asyncio.get_running_loop(), time.monotonic()

        def more() -> None:
            passed = min(time.monotonic() - begin, seconds)
            while len(self.sent) < int(passed * rate):
                number = serial + len(self.sent)
                self.sent[name(events, number)] = time.time()
                self.put(events, number, 1, 1)
            if passed < seconds:
                loop.call_later(1 / rate, more)

        self.sent.clear()
        more()

    def receive(self, asked: Arguments, reply: Reply) -> None:
        most = min(int(asked.get("MaxNumberOfMessages", 1)), next(self.most))
        if self._waiting:
            reply(self._taken(most))
            return
        seconds = 0.05 if self._closed else float(asked.get("WaitTimeSeconds", 0))
        wait = asyncio.get_running_loop().call_later(seconds, self._give_up, reply)
        self._receivers.append((most, reply, wait))

    def delete(self, handle: str) -> None:
        self.deleted += self._held.pop(handle, None) is not None

    def lengthen(self, handle: str, seconds: int) -> None:
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
            reply(self._taken(most))

    def _give_up(self, reply: Reply) -> None:
        self._receivers = deque(each for each in self._receivers if each[1] != reply)
        reply(EMPTY)

    def _taken(self, most: int) -> bytes:
        parts = []
        for _ in range(min(most, len(self._waiting))):
            known = self._waiting.popleft()
            handle = f"AQEB{next(self._handles):012x}{known[1].replace('-', '')}"
            self._held[handle] = known
            parts.append(b'{"ReceiptHandle": "%s", %s' % (handle.encode(), known[0]))
        return answer(b'{"Messages": [%s]}' % b", ".join(parts))


class Stub:
    """All queues; one is made when it is first named."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}
        self._batches: dict[str, Callable[[Queue, Arguments], None]] = {
            "deletemessagebatch": lambda queue, each: queue.delete(each["ReceiptHandle"]),
            "changemessagevisibilitybatch": lambda queue, each: queue.lengthen(
                each["ReceiptHandle"], int(each["VisibilityTimeout"])
            ),
        }

    def answer(self, request: Request, reply: Reply) -> None:
        asked: Arguments = json.loads(request.body or b"{}")
        if request.target == "/control":
            reply(answer(json.dumps(self._control(**asked)).encode()))
            return
        action = request.head.partition(b"x-amz-target: amazonsqs.")[2].partition(b"\r\n")[0]
        queue = self._queue(str(asked["QueueUrl"]).rpartition("/")[2])
        self._act(action.decode(), queue, asked, reply)

    def _act(self, action: str, queue: Queue, asked: Arguments, reply: Reply) -> None:
        if action == "receivemessage":
            queue.receive(asked, reply)
        elif one := self._batches.get(action):
            for each in asked["Entries"]:
                one(queue, each)
            done = [{"Id": each["Id"]} for each in asked["Entries"]]
            reply(answer(json.dumps({"Successful": done, "Failed": []}).encode()))
        elif one := self._batches.get(f"{action}batch"):
            one(queue, asked)
            reply(EMPTY)
        else:  # GetQueueAttributes
            counts = queue.counts()
            told = {
                "ApproximateNumberOfMessages": str(counts["waiting"]),
                "ApproximateNumberOfMessagesNotVisible": str(counts["held"]),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
            reply(answer(json.dumps({"Attributes": told}).encode()))

    def _control(self, do: str, queue: str, **given: Any) -> Any:
        """Do what the bench asks for."""
        there = self._queue(queue)
        match do:
            case "put":
                there.put(**given)
            case "pace":
                there.pace(**given)
            case "most":
                there.most = itertools.cycle(given["most"])
            case "sent":
                return there.sent
            case "close":
                there.close()
            case _:  # counts
                pass
        return there.counts()

    def _queue(self, called: str) -> Queue:
        return self._queues.setdefault(called, Queue())


if __name__ == "__main__":
    serve(Stub().answer)
