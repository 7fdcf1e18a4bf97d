"""The calls of SQS about a dead-letter queue."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from trailcourier import regions
from trailcourier.deadletters.letters import Contents, DeadLetter, MoveTask, Sending
from trailcourier.errors import Fault
from trailcourier.sqs import BATCH, UNANSWERED, Queue

WAIT = 1  # second; without any a few of SQS's servers are asked, and a part is found
PEEKED = 30  # seconds for which others do not get what is looked at, at most
HELD = 120  # and what is being moved
SYSTEM = ["ApproximateReceiveCount", "SentTimestamp", "DeadLetterQueueSourceArn", "AWSTraceHeader"]

_T = TypeVar("_T")


class _Known(msgspec.Struct, frozen=True):
    receive_count: int = msgspec.field(name="ApproximateReceiveCount", default=0)
    sent: int = msgspec.field(name="SentTimestamp", default=0)
    origin: str = msgspec.field(name="DeadLetterQueueSourceArn", default="")
    trace: str = msgspec.field(name="AWSTraceHeader", default="")


class _Found(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="MessageId")
    receipt: str = msgspec.field(name="ReceiptHandle")
    body: str = msgspec.field(name="Body", default="")
    known: _Known = msgspec.field(name="Attributes", default=_Known())
    attributes: dict[str, dict[str, Any]] = msgspec.field(
        name="MessageAttributes", default_factory=dict
    )


class _Receive(msgspec.Struct, frozen=True):
    messages: tuple[_Found, ...] = msgspec.field(name="Messages", default=())


class _Gone(msgspec.Struct, frozen=True):
    at: int = msgspec.field(name="Id")
    id: str = msgspec.field(name="MessageId", default="")


class _NotSent(msgspec.Struct, frozen=True):
    at: int = msgspec.field(name="Id")
    code: str = msgspec.field(name="Code")


class _Sent(msgspec.Struct, frozen=True):
    done: tuple[_Gone, ...] = msgspec.field(name="Successful", default=())
    failed: tuple[_NotSent, ...] = msgspec.field(name="Failed", default=())


class _Started(msgspec.Struct, frozen=True):
    handle: str = msgspec.field(name="TaskHandle")


class _Cancelled(msgspec.Struct, frozen=True):
    moved: int = msgspec.field(name="ApproximateNumberOfMessagesMoved", default=0)


class _Tasks(msgspec.Struct, frozen=True):
    tasks: tuple[MoveTask, ...] = msgspec.field(name="Results", default=())


class _Sources(msgspec.Struct, frozen=True):
    urls: tuple[str, ...] = msgspec.field(name="queueUrls", default=())


class DeadLetters:
    """The dead-letter queue at *address*, and the *source*'s queue that its messages come from.

    Every call raises Fault, as those of ``sqs.Queue``.
    """

    def __init__(self, source: Queue, origin: regions.QueueAddress, address: str) -> None:
        self._source = source
        self._origin = origin
        self.address = regions.queue(address, origin.region)
        self.queue = source.at(self.address.url)

    def contents(self) -> Contents:
        """Say how much lies there."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        told = self.queue.attributes(*names, "RedrivePolicy")
        if told is None:
            return Contents()
        waiting, in_flight = (int(each) if each.isdecimal() else None for each in told[:2])
        return Contents(waiting, in_flight, bool(told[2]))

    def peek(self, most: int) -> list[DeadLetter]:
        """Return up to *most* of the messages there, which nobody else is given meanwhile.

        They are given back at once; each counts one receive more.
        """
        found: dict[str, DeadLetter] = {}
        try:
            while len(found) < most:
                got = self.receive(min(BATCH, most - len(found)), hold=PEEKED)
                if not got or got[0].id in found:
                    break
                found |= {each.id: each for each in got}
        finally:
            self.give_back(found.values())
        return list(found.values())

    def receive(self, most: int, *, hold: int) -> list[DeadLetter]:
        """Receive up to *most* (1-10) messages with all their attributes, for *hold* seconds."""
        answer = self.queue.ask(
            "receive_message",
            _Receive,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=WAIT,
            VisibilityTimeout=hold,
            MessageSystemAttributeNames=SYSTEM,
            MessageAttributeNames=["All"],
        )
        return [
            DeadLetter(
                each.id,
                each.receipt,
                each.body,
                **msgspec.structs.asdict(each.known),
                attributes={name: _sendable(value) for name, value in each.attributes.items()},
            )
            for each in answer.messages
        ]

    def give_back(self, messages: Iterable[DeadLetter]) -> None:
        """Let others have *messages* again; where that fails they come when their time is over."""
        with suppress(Fault):
            self.queue.extend([(each.id, each.receipt, 0) for each in messages])

    def shared(self) -> bool:
        """Whether other queues than the source's move messages there, or that is not known."""
        answer = self.queue.ask("list_dead_letter_source_queues", _Sources)
        return [url.rpartition("/")[2] for url in answer.urls] != [self._origin.name]

    def ours(self, message: DeadLetter) -> bool:
        """Whether *message* comes from the source's queue; one whose origin is not told does."""
        return message.origin.rpartition(":")[2] in {"", self._origin.name}

    def send(self, messages: Sequence[DeadLetter]) -> Sending:
        """Send up to ten to the source's queue."""
        entries = [each.entry(at) for at, each in enumerate(messages)]
        answer = self._source.ask("send_message_batch", _Sent, Entries=entries)
        done = {each.at for each in answer.done}
        codes = {each.at: each.code for each in answer.failed}
        return Sending(
            [each for at, each in enumerate(messages) if at in done],
            {
                each.id: codes.get(at, UNANSWERED)
                for at, each in enumerate(messages)
                if at not in done
            },
            frozenset(each.id for each in answer.done),
        )

    def delete(self, messages: Sequence[DeadLetter]) -> Mapping[str, str]:
        """Delete from there what was sent to the source's queue; what could not be, with why."""
        try:
            changed = self.queue.delete([(each.id, each.receipt) for each in messages])
        except Fault as fault:
            return dict.fromkeys((each.id for each in messages), fault.reason)
        return {**changed.lost, **changed.failed}

    def start(self) -> str:
        """Have SQS move all messages there to the queues they come from; the task's handle."""
        return self._task("start_message_move_task", _Started).handle

    def task(self) -> MoveTask | None:
        """Return the latest move task, if there ever was one."""
        tasks = self._task("list_message_move_tasks", _Tasks, MaxResults=1).tasks
        return tasks[0] if tasks else None

    def cancel(self, handle: str) -> int:
        """Stop a move task; about how many it had moved."""
        answer = self._source.ask("cancel_message_move_task", _Cancelled, url=False,
                                  TaskHandle=handle)  # fmt: skip
        return answer.moved

    def _task(self, operation: str, shape: type[_T], **given: Any) -> _T:
        return self._source.ask(operation, shape, url=False, SourceArn=self._arn(), **given)

    def _arn(self) -> str:
        told = self.queue.attributes("QueueArn")
        return (told and told[0]) or self.address.arn


def _sendable(value: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the lists of an attribute: SQS has them in its answers and takes none."""
    return {name: each for name, each in value.items() if not name.endswith("ListValues")}
