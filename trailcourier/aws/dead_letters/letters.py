"""The messages of a dead-letter queue, and SQS's move tasks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from trailcourier.aws.sqs import BATCH

BATCH_BYTES = (
    262_144  # in one SendMessageBatch; SQS accepts four times as much, compatible servers do not
)

Status = Literal["RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"]


class DeadLetter(msgspec.Struct, frozen=True):
    """One message of a dead-letter queue; *sent* is when it was first sent, in milliseconds.

    *origin* is the ARN of the queue it comes from; empty if SQS does not say.
    """

    id: str
    receipt: str
    body: str
    receive_count: int = 0
    sent: int = 0
    origin: str = ""
    trace: str = ""
    attributes: Mapping[str, Mapping[str, Any]] = {}

    @property
    def size(self) -> int:
        """The size in bytes, at least what SQS counts."""
        values = (value for each in self.attributes.values() for value in each.values())
        content = sum(len(v) if isinstance(v, bytes) else len(str(v).encode()) for v in values)
        names = sum(len(name.encode()) for name in self.attributes)
        return len(self.body.encode()) + content + names

    def without_content(self) -> "DeadLetter":
        """Return a copy without body and attributes, for callers that only need the receipt."""
        return DeadLetter(self.id, self.receipt, "", origin=self.origin)

    def entry(self, index: int) -> dict[str, Any]:
        """Return the ``SendMessageBatch`` entry that sends the same message again."""
        entry: dict[str, Any] = {"Id": str(index), "MessageBody": self.body}
        if self.attributes:
            entry["MessageAttributes"] = dict(self.attributes)
        if self.trace:
            trace = {"DataType": "String", "StringValue": self.trace}
            entry["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
        return entry


class MoveTask(msgspec.Struct, frozen=True):
    """A move task of SQS; the numbers are approximate.

    *of* is how many messages it moves in all, None until SQS has counted them.  SQS returns
    *handle* only while the task runs.
    """

    status: Status = msgspec.field(name="Status")
    handle: str = msgspec.field(name="TaskHandle", default="")
    moved: int = msgspec.field(name="ApproximateNumberOfMessagesMoved", default=0)
    of: int | None = msgspec.field(name="ApproximateNumberOfMessagesToMove", default=None)
    why: str = msgspec.field(name="FailureReason", default="")
    started: int = msgspec.field(name="StartedTimestamp", default=0)

    @property
    def runs(self) -> bool:
        return self.status in {"RUNNING", "CANCELLING"}


class Contents(msgspec.Struct, frozen=True):
    """How many messages the queue holds; None if SQS does not say.

    *loops*: the queue has a redrive policy itself, so that each receive brings a message closer to
    yet another queue.
    """

    waiting: int | None = None
    in_flight: int | None = None
    loops: bool = False


class Sending(msgspec.Struct, frozen=True):
    """The messages *taken* by the source's queue, SQS's codes of the others, and the new *ids*."""

    taken: Sequence[DeadLetter]
    failed: Mapping[str, str]
    ids: frozenset[str]


def split_by_size(messages: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Split *messages* into batches that fit into one request."""
    batch: list[DeadLetter] = []
    size = 0
    for each in messages:
        if batch and (len(batch) == BATCH or size + each.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch
