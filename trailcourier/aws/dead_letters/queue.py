"""The SQS calls on a dead-letter queue."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from trailcourier.aws import regions
from trailcourier.aws.dead_letters.letters import Contents, DeadLetter, MoveTask, Sending
from trailcourier.aws.sqs import BATCH, UNANSWERED, Queue
from trailcourier.errors import Fault

WAIT = 1  # second; a receive without waiting samples a few of SQS's servers and misses messages
PEEKED = 30  # visibility in seconds of messages that are only looked at
HELD = 120  # visibility in seconds of messages that are being moved
SYSTEM_ATTRIBUTES = [
    "ApproximateReceiveCount",
    "SentTimestamp",
    "DeadLetterQueueSourceArn",
    "AWSTraceHeader",
]

_T = TypeVar("_T")


class _DeadLetterAttributes(msgspec.Struct, frozen=True):
    receive_count: int = msgspec.field(name="ApproximateReceiveCount", default=0)
    sent: int = msgspec.field(name="SentTimestamp", default=0)
    origin: str = msgspec.field(name="DeadLetterQueueSourceArn", default="")
    trace: str = msgspec.field(name="AWSTraceHeader", default="")


class _ReceivedDeadLetter(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="MessageId")
    receipt: str = msgspec.field(name="ReceiptHandle")
    body: str = msgspec.field(name="Body", default="")
    system: _DeadLetterAttributes = msgspec.field(
        name="Attributes", default=_DeadLetterAttributes()
    )
    attributes: dict[str, dict[str, Any]] = msgspec.field(
        name="MessageAttributes", default_factory=dict
    )


class _DeadLetterResponse(msgspec.Struct, frozen=True):
    messages: tuple[_ReceivedDeadLetter, ...] = msgspec.field(name="Messages", default=())


class _SentEntry(msgspec.Struct, frozen=True):
    index: int = msgspec.field(name="Id")
    id: str = msgspec.field(name="MessageId", default="")


class _UnsentEntry(msgspec.Struct, frozen=True):
    index: int = msgspec.field(name="Id")
    code: str = msgspec.field(name="Code")


class _SendResponse(msgspec.Struct, frozen=True):
    done: tuple[_SentEntry, ...] = msgspec.field(name="Successful", default=())
    failed: tuple[_UnsentEntry, ...] = msgspec.field(name="Failed", default=())


class _StartResponse(msgspec.Struct, frozen=True):
    handle: str = msgspec.field(name="TaskHandle")


class _CancelResponse(msgspec.Struct, frozen=True):
    moved: int = msgspec.field(name="ApproximateNumberOfMessagesMoved", default=0)


class _TasksResponse(msgspec.Struct, frozen=True):
    tasks: tuple[MoveTask, ...] = msgspec.field(name="Results", default=())


class _SourcesResponse(msgspec.Struct, frozen=True):
    urls: tuple[str, ...] = msgspec.field(name="queueUrls", default=())


class DeadLetters:
    """The dead-letter queue at *url*; its messages come from the queue *source*, at *origin*.

    Every call raises Fault, as those of ``sqs.Queue`` do.
    """

    def __init__(self, source: Queue, origin: regions.QueueAddress, url: str) -> None:
        self._source = source
        self._origin = origin
        self.address = regions.parse_queue_url(url, origin.region)
        self.queue = source.with_url(self.address.url)

    def contents(self) -> Contents:
        """Return how many messages the queue holds."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        values = self.queue.attributes(*names, "RedrivePolicy")
        if values is None:
            return Contents()
        waiting, in_flight = (int(each) if each.isdecimal() else None for each in values[:2])
        return Contents(waiting, in_flight, loops=bool(values[2]))

    def peek(self, most: int) -> list[DeadLetter]:
        """Return up to *most* messages and release them again.

        SQS hides them from other receivers meanwhile, and counts one receive for each.
        """
        found: dict[str, DeadLetter] = {}
        try:
            while len(found) < most:
                batch = self.receive(min(BATCH, most - len(found)), visibility=PEEKED)
                if not batch or batch[0].id in found:
                    break
                found |= {each.id: each for each in batch}
        finally:
            self.release(found.values())
        return list(found.values())

    def receive(self, most: int, *, visibility: int) -> list[DeadLetter]:
        """Receive up to *most* (1-10) messages with all attributes, hidden *visibility* seconds."""
        response = self.queue.call(
            "receive_message",
            _DeadLetterResponse,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=WAIT,
            VisibilityTimeout=visibility,
            MessageSystemAttributeNames=SYSTEM_ATTRIBUTES,
            MessageAttributeNames=["All"],
        )
        return [
            DeadLetter(
                each.id,
                each.receipt,
                each.body,
                **msgspec.structs.asdict(each.system),
                attributes={name: _drop_lists(value) for name, value in each.attributes.items()},
            )
            for each in response.messages
        ]

    def release(self, messages: Iterable[DeadLetter]) -> None:
        """Make *messages* visible again; if that fails, they are when their visibility ends."""
        with suppress(Fault):
            self.queue.change_visibility([(each.id, each.receipt, 0) for each in messages])

    def has_other_sources(self) -> bool:
        """Return whether other queues than the source's send dead letters here.

        Also true if SQS lists no source queue.
        """
        response = self.queue.call("list_dead_letter_source_queues", _SourcesResponse)
        return [url.rpartition("/")[2] for url in response.urls] != [self._origin.name]

    def is_ours(self, message: DeadLetter) -> bool:
        """Return whether *message* comes from the source's queue; true if its origin is empty."""
        return message.origin.rpartition(":")[2] in {"", self._origin.name}

    def send(self, messages: Sequence[DeadLetter]) -> Sending:
        """Send up to ten *messages* to the source's queue."""
        entries = [each.entry(index) for index, each in enumerate(messages)]
        response = self._source.call("send_message_batch", _SendResponse, Entries=entries)
        done = {each.index for each in response.done}
        codes = {each.index: each.code for each in response.failed}
        return Sending(
            [each for index, each in enumerate(messages) if index in done],
            {
                each.id: codes.get(index, UNANSWERED)
                for index, each in enumerate(messages)
                if index not in done
            },
            frozenset(each.id for each in response.done),
        )

    def delete(self, messages: Sequence[DeadLetter]) -> Mapping[str, str]:
        """Delete *messages* that were sent to the source's queue; return the codes of failures."""
        try:
            result = self.queue.delete([(each.id, each.receipt) for each in messages])
        except Fault as fault:
            return dict.fromkeys((each.id for each in messages), fault.reason)
        return {**result.lost, **result.failed}

    def start_move(self) -> str:
        """Start SQS's move of all messages to the queues they come from; return its handle."""
        return self._call_move_task("start_message_move_task", _StartResponse).handle

    def latest_move(self) -> MoveTask | None:
        """Return the latest move task; None if there never was one."""
        tasks = self._call_move_task("list_message_move_tasks", _TasksResponse, MaxResults=1).tasks
        return tasks[0] if tasks else None

    def cancel_move(self, handle: str) -> int:
        """Cancel a move task; return about how many messages it has moved."""
        response = self._source.call("cancel_message_move_task", _CancelResponse, url=False,
                                  TaskHandle=handle)  # fmt: skip
        return response.moved

    def _call_move_task(self, operation: str, shape: type[_T], **parameters: Any) -> _T:
        return self._source.call(operation, shape, url=False, SourceArn=self._arn(), **parameters)

    def _arn(self) -> str:
        values = self.queue.attributes("QueueArn")
        return (values and values[0]) or self.address.arn


def _drop_lists(value: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the list fields of an attribute: SQS returns them, but does not accept them."""
    return {name: each for name, each in value.items() if not name.endswith("ListValues")}
