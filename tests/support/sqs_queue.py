"""One standard SQS queue, as the SQS API reference tells it, and the actions on it."""

import asyncio
import base64
import binascii
import dataclasses
import hashlib
import heapq
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

TWELVE_HOURS = 43_200
ARN = "arn:aws:sqs:us-east-1:111122223333"

Arguments = dict[str, Any]


class SqsError(Exception):
    """An error answer; *code* is what boto3 shows, *name* the modelled one where it differs."""

    def __init__(self, code: str, message: str, *, status: int = 400, name: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.name = name or code.rpartition(".")[2]


@dataclasses.dataclass
class Message:
    id: str
    body: str
    sent: float
    visible_at: float
    md5: str
    count: int = 0
    first_received: float = 0
    received: float = 0
    doubled: bool = False  # on its way to a second receiver
    origin: str = ""  # the ARN of the queue it was dead-lettered from
    trace: str = ""
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    good: set[int] = dataclasses.field(default_factory=set)  # receives whose handle acts


class Queue:
    """Messages, their leases and handles; *limit* is maxReceiveCount, *dead* where they go then."""

    def __init__(
        self,
        name: str,
        now: Callable[[], float],
        *,
        visibility: int = 30,
        dead: "Queue | None" = None,
        limit: int = 0,
    ) -> None:
        self.name = name
        self.visibility = visibility
        self.held: dict[str, Message] = {}
        self.twice = 0
        self.watch: Callable[[Message], None] = lambda message: None  # told before each is deleted
        self._now = now
        self._dead = dead
        self._limit = limit
        self._due: list[tuple[float, int, str]] = []  # (visible at, tie, id); may be out of date
        self._ties = itertools.count()
        self._changed = asyncio.Event()

    @property
    def dead_name(self) -> str:
        """The name of the dead-letter queue; empty without one."""
        return self._dead.name if self._dead else ""

    def send(
        self,
        body: str,
        *,
        delay: float = 0,
        attributes: dict[str, Any] | None = None,
        trace: str = "",
    ) -> Message:
        md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        now = self._now()
        message = Message(
            str(uuid.uuid4()), body, now, now + delay, md5, trace=trace, attributes=attributes or {}
        )
        self.put(message)
        return message

    def receive(self, most: int, lease: float) -> list[tuple[Message, str]]:
        """Up to *most* visible messages, leased for *lease* seconds, each with its handle."""
        now = self._now()
        found: list[tuple[Message, str]] = []
        while len(found) < most and self._due and self._due[0][0] <= now:
            visible_at, _, id_ = heapq.heappop(self._due)
            message = self.held.get(id_)
            if message is None or message.visible_at != visible_at:
                continue
            if self._dead is not None and message.count >= self._limit:
                message.origin = f"{ARN}:{self.name}"
                self._dead.put(self.held.pop(id_))
                continue
            found.append((message, self._handle(message)))
        for message, _ in found:  # only now: one receive does not bring a message twice
            self._lease(message, lease)
        return found

    def delete(self, handle: str) -> str:
        """Take the message of *handle* away; one received again since stays.  Gives its id."""
        id_, number = self._opened(handle)
        message = self.held.get(id_)
        if message is not None and number in message.good:
            self.watch(message)
            del self.held[id_]
        return id_

    def lengthen(self, handle: str, seconds: int) -> str:
        """Let the lease of *handle* end *seconds* from now; gives the message's id."""
        id_, number = self._opened(handle)
        message = self.held.get(id_)
        now = self._now()
        if not 0 <= seconds <= TWELVE_HOURS:
            raise _invalid(seconds, "VisibilityTimeout", "Must be between 0 and 43200.")
        if message is None or number not in message.good:
            reason = "Message does not exist or is not available for visibility timeout change."
            raise _invalid(handle, "ReceiptHandle", reason)
        if message.doubled:
            return id_
        if message.visible_at <= now:
            raise SqsError(
                "AWS.SimpleQueueService.MessageNotInflight", "The message is not in flight."
            )
        if now - message.received + seconds > TWELVE_HOURS:
            reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
            raise _invalid(seconds, "VisibilityTimeout", reason)
        self._show(message, now + seconds)
        return id_

    def attributes(self, account: str) -> dict[str, str]:
        now = self._now()
        visible = sum(message.visible_at <= now for message in self.held.values())
        arn = f"arn:aws:sqs:us-east-1:{account}"
        redrive = {"deadLetterTargetArn": f"{arn}:{self._dead.name}"} if self._dead else {}
        found = {
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(self.held) - visible),
            "ApproximateNumberOfMessagesDelayed": "0",
            "VisibilityTimeout": str(self.visibility),
            "QueueArn": f"{arn}:{self.name}",
        }
        if redrive:
            found["RedrivePolicy"] = json.dumps({**redrive, "maxReceiveCount": self._limit})
        return found

    def wake(self) -> None:
        """Let waiting receives look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, seconds: float) -> None:
        """Wait until a message may be visible, at most *seconds*."""
        if self._due:
            seconds = min(seconds, max(0.001, self._due[0][0] - self._now()))
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def put(self, message: Message) -> None:
        self.held[message.id] = message
        self._show(message, message.visible_at)

    def _show(self, message: Message, at: float) -> None:
        message.visible_at = at
        heapq.heappush(self._due, (at, next(self._ties), message.id))
        self.wake()

    def _handle(self, message: Message) -> str:
        now = self._now()
        message.count += 1
        message.received = now
        message.first_received = message.first_received or now
        if not message.doubled:
            message.good.clear()
        message.good.add(message.count)
        message.doubled = False
        handle = f"{self.name}|{message.id}|{message.count}|{next(self._ties)}"
        return "AQEB" + base64.urlsafe_b64encode(handle.encode()).decode()

    def _lease(self, message: Message, seconds: float) -> None:
        if self.twice > 0:  # another receive brings it at once, and both handles are good
            self.twice -= 1
            message.doubled = True
            self._show(message, self._now())
        else:
            self._show(message, self._now() + seconds)

    def _opened(self, handle: str) -> tuple[str, int]:
        try:
            text = base64.b64decode(handle[4:], b"-_", validate=True).decode()
            name, id_, number, _ = text.split("|")
        except (binascii.Error, ValueError):
            name, id_, number = "", "", "0"
        if name != self.name:
            words = f'The input receipt handle "{handle}" is not a valid receipt handle.'
            raise SqsError("ReceiptHandleIsInvalid", words, status=404)
        return id_, int(number)


def _invalid(value: object, parameter: str, reason: str) -> SqsError:
    words = f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    return SqsError("InvalidParameterValue", words)


def messages_in(
    found: list[tuple[Message, str]], names: list[str], *, attributes: bool = False
) -> list[Arguments]:
    """Received messages as the protocol writes them, with the system attributes in *names*.

    Their own are there if *attributes* were asked for.
    """
    messages = [_message(message, handle, names) for message, handle in found]
    for (message, _), each in zip(found, messages, strict=True):
        if attributes and message.attributes:
            each["MessageAttributes"] = message.attributes
    return messages


def _message(message: Message, handle: str, names: list[str]) -> Arguments:
    known = {
        "SenderId": "AIDAEXAMPLE",
        "SentTimestamp": str(int(message.sent * 1000)),
        "ApproximateReceiveCount": str(message.count),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received * 1000)),
    }
    more = {"DeadLetterQueueSourceArn": message.origin, "AWSTraceHeader": message.trace}
    known |= {name: text for name, text in more.items() if text}
    asked = known if "All" in names else {name: known[name] for name in names if name in known}
    answer: Arguments = {
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "MD5OfBody": message.md5,
        "Body": message.body,
    }
    return {**answer, "Attributes": asked} if asked else answer


def send(queue: Queue, arguments: Arguments) -> tuple[Arguments, str]:
    delay = int(arguments.get("DelaySeconds", 0))
    trace = arguments.get("MessageSystemAttributes", {}).get("AWSTraceHeader", {})
    message = queue.send(
        arguments["MessageBody"],
        delay=delay,
        attributes=arguments.get("MessageAttributes"),
        trace=trace.get("StringValue", ""),
    )
    return {"MessageId": message.id, "MD5OfMessageBody": message.md5}, message.id


def delete(queue: Queue, arguments: Arguments) -> tuple[Arguments, str]:
    return {}, queue.delete(arguments["ReceiptHandle"])


def lengthen(queue: Queue, arguments: Arguments) -> tuple[Arguments, str]:
    seconds = int(arguments["VisibilityTimeout"])
    return {}, queue.lengthen(arguments["ReceiptHandle"], seconds)


ON_ONE = {"SendMessage": send, "DeleteMessage": delete, "ChangeMessageVisibility": lengthen}


def entries_in(arguments: Arguments) -> list[Arguments]:
    """The entries of a batch, if SQS would take it."""
    entries: list[Arguments] = arguments["Entries"]
    problem = ""
    if not entries:
        problem = "EmptyBatchRequest"
    elif len(entries) > 10:
        problem = "TooManyEntriesInBatchRequest"
    elif len({entry["Id"] for entry in entries}) < len(entries):
        problem = "BatchEntryIdsNotDistinct"
    if problem:
        raise SqsError(f"AWS.SimpleQueueService.{problem}", f"{len(entries)} entries: {problem}")
    return entries
