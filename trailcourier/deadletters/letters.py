"""What lies in a dead-letter queue, and what SQS says of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from trailcourier.sqs import BATCH

BATCH_BYTES = 262_144  # in one SendMessageBatch; SQS takes four times as much, others do not

Status = Literal["RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"]


class DeadLetter(msgspec.Struct, frozen=True):
    """One message there; *sent* is when it was first sent, in milliseconds.

    *origin* is the ARN of the queue it comes from, where SQS says so.
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
        """At least the bytes that SQS counts for it."""
        values = (value for each in self.attributes.values() for value in each.values())
        told = sum(len(v) if isinstance(v, bytes) else len(str(v).encode()) for v in values)
        names = sum(len(name.encode()) for name in self.attributes)
        return len(self.body.encode()) + told + names

    def unread(self) -> "DeadLetter":
        """The same without what is in it, for who needs the receipt alone."""
        return DeadLetter(self.id, self.receipt, "", origin=self.origin)

    def entry(self, at: int) -> dict[str, Any]:
        """What ``SendMessageBatch`` takes to send the same again."""
        entry: dict[str, Any] = {"Id": str(at), "MessageBody": self.body}
        if self.attributes:
            entry["MessageAttributes"] = dict(self.attributes)
        if self.trace:
            trace = {"DataType": "String", "StringValue": self.trace}
            entry["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
        return entry


class MoveTask(msgspec.Struct, frozen=True):
    """A move task of SQS; the numbers are approximate.

    *of* is how many there were to move, None before SQS has counted them.  *handle* is told only
    while it runs.
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
    """How much lies there, None where SQS does not say; *loops* that it has a redrive policy too.

    To look at a message there then brings it nearer to yet another queue.
    """

    waiting: int | None = None
    in_flight: int | None = None
    loops: bool = False


class Sending(msgspec.Struct, frozen=True):
    """What was *taken* by the source's queue, what was not, with SQS's code, and the new *ids*."""

    taken: Sequence[DeadLetter]
    failed: Mapping[str, str]
    ids: frozenset[str]


def by_bytes(messages: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Cut *messages* into batches that one request takes."""
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
