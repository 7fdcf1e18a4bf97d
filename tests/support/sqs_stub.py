"""An SQS stub where moto is not enough: handles that change, leases that end, faults on demand.

It speaks the JSON protocol of boto3 and follows the SQS API reference for standard queues: a
receipt handle belongs to one receive; a delete with an older one succeeds and deletes nothing; a
lease ends 12 hours after its receive; a message received too often moves to its dead-letter queue.

In a thread: ``with SqsStub() as stub``.  As a process:
``python -m tests.support.sqs_stub NAME[:MAX:DLQ]`` prints its address as JSON;
``control(url, do, **arguments)`` then calls a method of it.
"""

import argparse
import json
import re
import signal
import time
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

from tests.support.http_stub import Fault, Faults, Reply, Request, Server, spoil
from tests.support.sqs_moves import Moves
from tests.support.sqs_queue import (
    ARN,
    ON_ONE,
    Arguments,
    Message,
    Queue,
    SqsError,
    entries_in,
    messages_in,
)

ACCOUNT = ARN.rpartition(":")[2]
_JSON = ("Content-Type", "application/x-amz-json-1.0")
_URL = re.compile(rb'"QueueUrl":\s*"[^"]*/([^"/]+)"')
_KEY = re.compile(r"Credential=([^/,]+)/")


class Entry(NamedTuple):
    """One request as it was answered; *ids* are the messages it acted on."""

    at: float  # time.monotonic()
    action: str
    queue: str
    who: str  # access key and client port
    ids: tuple[str, ...]
    failed: int  # entries of a batch
    code: str  # of an error answer


class SqsStub:
    """Queues on 127.0.0.1; its methods may be called from any thread."""

    def __init__(self, *, keep_log: bool = True, port: int = 0) -> None:
        self.faults = Faults()
        self.queues: dict[str, Queue] = {}
        self.moves = Moves(self.queues)
        self._log: deque[Entry] = deque(maxlen=None if keep_log else 0)
        self._failing: dict[str, list[Fault]] = {}
        self.refuses: Callable[[Request], str] = lambda request: ""  # a code
        self.long_polls = 0  # that wait now
        self._clock_offset = 0.0
        self.server = Server(self._answer, port=port)

    @property
    def url(self) -> str:
        return self.server.url

    def create(
        self, name: str, *, visibility: int = 30, redrive: tuple[str, int] | None = None
    ) -> str:
        """Make a queue and give its URL; *redrive* is a dead-letter queue and maxReceiveCount."""
        if redrive and redrive[0] not in self.queues:
            self.create(redrive[0])
        dead, limit = (self.queues[redrive[0]], redrive[1]) if redrive else (None, 0)
        self.queues[name] = Queue(name, self.now, visibility=visibility, dead=dead, limit=limit)
        return self.queue_url(name)

    def queue_url(self, name: str) -> str:
        return f"{self.url}/{ACCOUNT}/{name}"

    def now(self) -> float:
        """Seconds by the stub's clock."""
        return time.time() + self._clock_offset

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass for every queue, and for nobody else."""
        self.server.call(self._advance, seconds)

    def send(self, queue: str, *bodies: str) -> list[str]:
        """Put *bodies* into *queue*; give the message ids."""
        sent: list[str] = self.server.call(
            lambda: [self.queues[queue].send(body).id for body in bodies]
        )
        return sent

    def fault(self, what: str, **how: Any) -> Fault:
        """Let requests of one action (or ``*``) go wrong; see ``http_stub.Fault``."""
        return self.faults.add(Fault(what, **how))

    def fail_entries(self, action: str, *, code: str = "InternalError", **how: Any) -> Fault:
        """Let entries of a batch fail, each on its own: *skip* go well, then *times* do not."""
        fault = Fault("*", code=code, **how)
        self._failing.setdefault(action, []).append(fault)
        return fault

    def deliver_twice(self, queue: str, *, times: int = 1) -> None:
        """Let the next *times* messages be received a second time at once, both handles good."""
        self.queues[queue].twice = times

    def heal(self) -> None:
        """Take all faults away."""
        self.faults.clear()
        self._failing.clear()

    def log(self, action: str = "", queue: str = "") -> list[Entry]:
        """The requests so far, of one *action* and *queue* where they are given."""
        entries: list[Entry] = self.server.call(lambda: list(self._log))
        return [e for e in entries if action in ("", e.action) and queue in ("", e.queue)]

    def messages(self, queue: str) -> list[Message]:
        """What lies in *queue*, visible or not."""
        found: list[Message] = self.server.call(lambda: list(self.queues[queue].held.values()))
        return found

    def bodies(self, queue: str) -> list[str]:
        """The bodies of what lies in *queue*, oldest first."""
        return [message.body for message in self.messages(queue)]

    def deleted(self, queue: str = "") -> list[str]:
        """The ids of all messages that a request took away, in order."""
        gone = [e for e in self.log(queue=queue) if e.action.startswith("DeleteMessage")]
        return [id_ for entry in gone for id_ in entry.ids]

    def close(self) -> None:
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _advance(self, seconds: float) -> None:
        self._clock_offset += seconds
        for queue in self.queues.values():
            queue.wake()

    # requests, in the server's thread

    def _answer(self, request: Request) -> Reply | Awaitable[Reply | None]:
        if request.target == "/control":
            return self._control(request)
        action = request.headers.get("x-amz-target", "").removeprefix("AmazonSQS.")
        fault = self.faults.take(action)
        if fault is None:
            return self._perform(action, request)
        return self._spoiled(fault, action, request)

    async def _spoiled(self, fault: Fault, action: str, request: Request) -> Reply | None:
        reply = Reply(400)
        if fault.after or not (fault.code or fault.hang or fault.reset or fault.page):
            answer = self._perform(action, request)
            reply = answer if isinstance(answer, Reply) else await answer
        if fault.code:
            error = SqsError(fault.code, fault.message, status=fault.status)
            reply = _failure(error)
            self._note(action, request, code=fault.code)
        return await spoil(fault, reply)

    def _perform(self, action: str, request: Request) -> Reply | Awaitable[Reply]:
        arguments: Arguments = json.loads(request.body or b"{}")
        try:
            self._allow(request)
            if self.moves.handles(action):
                answer = self.moves.do(action, arguments)
                self._note(action, request)
                return _json(answer)
            queue = self._named(action, arguments)
            if action == "ReceiveMessage":
                return self._receive(queue, request, arguments)
            answer, ids, failed = self._done(action, queue, arguments)
        except SqsError as error:
            self._note(action, request, code=error.code)
            return _failure(error)
        self._note(action, request, ids, failed=failed)
        return _json(answer)

    def _done(
        self, action: str, queue: Queue, arguments: Arguments
    ) -> tuple[Arguments, list[str], int]:
        if one := ON_ONE.get(action):
            answer, id_ = one(queue, arguments)
            return answer, [id_], 0
        if action.removesuffix("Batch") in ON_ONE:
            return self._batch(action, queue, arguments)
        match action:
            case "GetQueueUrl":
                return {"QueueUrl": self.queue_url(queue.name)}, [], 0
            case "GetQueueAttributes":
                names = arguments.get("AttributeNames", [])
                known = queue.attributes(ACCOUNT).items()
                asked = {name: text for name, text in known if "All" in names or name in names}
                return {"Attributes": asked}, [], 0
            case "ListDeadLetterSourceQueues":
                names = [name for name, q in self.queues.items() if q.dead_name == queue.name]
                return {"queueUrls": [self.queue_url(name) for name in names]}, [], 0
            case "PurgeQueue":
                queue.held.clear()
                return {}, [], 0
        raise SqsError("InvalidAction", f"The stub knows no {action}.")

    def _batch(
        self, action: str, queue: Queue, arguments: Arguments
    ) -> tuple[Arguments, list[str], int]:
        done: list[Arguments] = []
        failed: list[Arguments] = []
        ids: list[str] = []
        for entry in entries_in(arguments):
            try:
                self._fail_entry(action)
                answer, id_ = ON_ONE[action.removesuffix("Batch")](queue, entry)
            except SqsError as error:
                fault = {"Code": error.code, "Message": error.message}
                failed.append({"Id": entry["Id"], "SenderFault": error.status < 500, **fault})
            else:
                done.append({"Id": entry["Id"], **answer})
                ids.append(id_)
        return {"Successful": done, "Failed": failed}, ids, len(failed)

    def _fail_entry(self, action: str) -> None:
        for fault in self._failing.get(action, ()):
            if Faults.meets(fault, action):
                raise SqsError(fault.code, fault.message, status=500)

    def _receive(
        self, queue: Queue, request: Request, arguments: Arguments
    ) -> Reply | Awaitable[Reply]:
        most = int(arguments.get("MaxNumberOfMessages", 1))
        wait = float(arguments.get("WaitTimeSeconds", 0))
        lease = int(arguments.get("VisibilityTimeout", queue.visibility))
        for name, value, last in (("MaxNumberOfMessages", most, 10), ("WaitTimeSeconds", wait, 20)):
            if not 0 <= value <= last:
                words = f"Value {value} for parameter {name} is invalid."
                raise SqsError("InvalidParameterValue", words)
        names = arguments.get("MessageSystemAttributeNames") or arguments.get("AttributeNames", [])
        own = "All" in arguments.get("MessageAttributeNames", [])
        found = queue.receive(most, lease)
        if wait and not found:
            return self._long_poll(queue, request, (most, lease, wait), (names, own))
        return self._received(request, found, (names, own))

    async def _long_poll(
        self,
        queue: Queue,
        request: Request,
        asked: tuple[int, int, float],
        wanted: tuple[list[str], bool],
    ) -> Reply:
        most, lease, wait = asked
        deadline = time.monotonic() + wait
        found: list[tuple[Message, str]] = []
        self.long_polls += 1
        try:
            while not found and (left := deadline - time.monotonic()) > 0:
                await queue.changed(left)
                found = queue.receive(most, lease)
        finally:
            self.long_polls -= 1
        return self._received(request, found, wanted)

    def _received(
        self, request: Request, found: list[tuple[Message, str]], wanted: tuple[list[str], bool]
    ) -> Reply:
        self._note("ReceiveMessage", request, [message.id for message, _ in found])
        names, own = wanted
        return _json({"Messages": messages_in(found, names, attributes=own)} if found else {})

    def _allow(self, request: Request) -> None:
        if code := self.refuses(request):
            raise SqsError(code, "The security token is not good.", status=403)

    def _named(self, action: str, arguments: Arguments) -> Queue:
        named = arguments.get("QueueUrl", arguments.get("QueueName"))
        if named is None:
            raise SqsError("InvalidAction", f"The stub knows no {action}.")
        name = str(named).rpartition("/")[2]
        if name not in self.queues:
            code = "AWS.SimpleQueueService.NonExistentQueue"
            words = "The specified queue does not exist."
            raise SqsError(code, words, name="QueueDoesNotExist")
        return self.queues[name]

    def _note(
        self,
        action: str,
        request: Request,
        ids: list[str] | None = None,
        *,
        failed: int = 0,
        code: str = "",
    ) -> None:
        if self._log.maxlen == 0:
            return
        url = _URL.search(request.body)
        key = _KEY.search(request.headers.get("authorization", ""))
        queue = url[1].decode() if url else ""
        who = f"{key[1] if key else 'nobody'}:{request.peer}"
        entry = Entry(time.monotonic(), action, queue, who, tuple(ids or ()), failed, code)
        self._log.append(entry)

    def _control(self, request: Request) -> Reply:
        """Call one method for a test in another process."""
        asked: Arguments = json.loads(request.body)
        do = asked.pop("do")
        act = {
            "advance": self._advance,
            "bodies": lambda queue: [m.body for m in self.queues[queue].held.values()],
            "log": lambda: [entry._asdict() for entry in self._log],
            "send": lambda queue, bodies: [self.queues[queue].send(body).id for body in bodies],
        }.get(do) or getattr(self, do)
        result = act(**asked)
        return _json({"result": None if isinstance(result, Fault) else result})


def control(url: str, do: str, **arguments: Any) -> Any:
    """Call a method of the stub that runs as a process at *url*."""
    body = json.dumps({"do": do, **arguments}).encode()
    with urllib.request.urlopen(f"{url}/control", body, timeout=10) as answer:
        return json.load(answer)["result"]


def _json(answer: Arguments) -> Reply:
    return Reply(200, json.dumps(answer).encode(), (_JSON,))


def _failure(error: SqsError) -> Reply:
    body = {"__type": f"com.amazonaws.sqs#{error.name}", "message": error.message}
    header = ("x-amzn-query-error", f"{error.code};Sender")
    return Reply(error.status, json.dumps(body).encode(), (_JSON, header))


def main() -> None:
    """Serve the queues named on the command line until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("queues", nargs="+", metavar="NAME[:MAX_RECEIVE_COUNT:DLQ]")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--no-log", action="store_true")
    asked = parser.parse_args()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's thread starts
    with SqsStub(keep_log=not asked.no_log, port=asked.port) as stub:
        urls = {}
        for queue in asked.queues:
            name, limit, dead = [*queue.split(":"), "", ""][:3]
            urls[name] = stub.create(name, redrive=(dead, int(limit)) if dead else None)
        print(json.dumps({"url": stub.url, "queues": urls}), flush=True)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
