"""One event source's queue.

Deleting a message is the one thing that cannot be taken back: only ``line.queue.commit`` may call
``Queue.delete``.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import boto3
import msgspec
from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import Message
from trailcourier.regions import QueueAddress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10  # entries SQS takes in one call
REDRIVE_KNOWN = 600  # seconds; a redrive policy seldom changes

# our hold is gone: the visibility ended, the message was deleted, or 12 hours are reached
LOST = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
OPTIONAL = frozenset({"change_message_visibility_batch", "get_queue_attributes"})


class NotAllowed(Fault):
    """The credentials do not cover this call, and the line can do without it."""


class Changed(msgspec.Struct, frozen=True):
    """What became of each message of a batch, by message id.

    *lost* are those the queue no longer knows by our receipt, *failed* the others that were not
    done, both with SQS's code.
    """

    done: tuple[str, ...] = ()
    lost: Mapping[str, str] = {}
    failed: Mapping[str, str] = {}


class Depth(msgspec.Struct, frozen=True):
    """How many messages the queue holds; SQS calls each of these numbers approximate."""

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """The queue at *address*; all threads of a process share one.

    Every call raises Fault, with *where* ``"queue"``, for what SQS or the way to it does wrong.
    """

    def __init__(
        self,
        session: boto3.Session,
        address: QueueAddress,
        *,
        egress: Egress,
        fips: bool = False,
        dualstack: bool = False,
    ) -> None:
        self._session = session
        self._url = address.url
        self._client: SQSClient = cast(
            "SQSClient",
            aws.client(
                session,
                "sqs",
                address.region,
                egress=egress,
                endpoint=address.endpoint,
                fips=fips or address.fips,
                dualstack=dualstack or address.dualstack,
            ),
        )
        self._redrive: tuple[float, int | None] | None = None

    def receive(self, *, most: int, wait: int, visibility: int) -> list[Message]:
        """Return up to *most* (1-10) messages, waiting up to *wait* seconds (0-20) for the first.

        Nobody else is given them for *visibility* seconds.
        """
        answer = self._call(
            "receive_message",
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            VisibilityTimeout=visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "SenderId"],
        )
        return [_message(each) for each in answer.get("Messages", [])]

    def extend(self, entries: Sequence[tuple[str, str, int]]) -> Changed:
        """Hold each message, by (id, receipt, seconds), for so long from now; 0 gives it back.

        Raises NotAllowed where ``sqs:ChangeMessageVisibility`` is denied.
        """
        return self._batches(
            "change_message_visibility_batch",
            entries,
            [{"ReceiptHandle": receipt, "VisibilityTimeout": for_} for _, receipt, for_ in entries],
        )

    def delete(self, entries: Sequence[tuple[str, str]]) -> Changed:
        """Delete each message, by (id, receipt): for ``line.queue.commit`` alone."""
        return self._batches(
            "delete_message_batch", entries, [{"ReceiptHandle": receipt} for _, receipt in entries]
        )

    def depth(self) -> Depth | None:
        """Return how much waits, or None where ``sqs:GetQueueAttributes`` is denied."""
        names = ("", "NotVisible", "Delayed")
        told = self._attributes(*(f"ApproximateNumberOfMessages{name}" for name in names))
        return None if told is None else Depth(*(int(number) for number in told))

    def redrive(self) -> int | None:
        """Return after how many receives SQS moves a message to the dead-letter queue.

        0 without such a policy; None where ``sqs:GetQueueAttributes`` is denied.
        """
        now = time.monotonic()
        if self._redrive is None or now > self._redrive[0] + REDRIVE_KNOWN:
            told = self._attributes("RedrivePolicy")
            self._redrive = (now, None if told is None else _most_receives(told[0]))
        return self._redrive[1]

    def _attributes(self, *names: str) -> list[str] | None:
        try:
            answer = self._call("get_queue_attributes", AttributeNames=list(names))
        except NotAllowed:
            return None
        told = answer.get("Attributes", {})
        return [told.get(name, "") for name in names]

    def _batches(
        self, operation: str, entries: Sequence[tuple[Any, ...]], given: Sequence[dict[str, Any]]
    ) -> Changed:
        done: list[str] = []
        lost: dict[str, str] = {}
        failed: dict[str, str] = {}
        for start in range(0, len(entries), BATCH):
            ids = [entry[0] for entry in entries[start : start + BATCH]]
            # an id of ours, for SQS takes fewer characters in one than it gives in a message's
            batch = [
                {"Id": str(at), **each} for at, each in enumerate(given[start : start + BATCH])
            ]
            answer = self._call(operation, Entries=batch)
            done += [ids[int(each["Id"])] for each in answer.get("Successful", [])]
            for each in answer.get("Failed", []):
                code = each["Code"].removeprefix("AWS.SimpleQueueService.")
                (lost if code in LOST else failed)[ids[int(each["Id"])]] = code
        return Changed(tuple(done), lost, failed)

    def _call(self, operation: str, **given: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(QueueUrl=self._url, **given)
        except aws.ERRORS as error:
            raise self._fault(operation, error) from error
        return answer

    def _fault(self, operation: str, error: Exception) -> Fault:
        found = aws.fault(error, what=self._url, where="queue")
        if found.reason in aws.OF_KEYS:
            aws.forget(self._session)
        if isinstance(error, ClientError) and aws.codes(error) & DENIED and operation in OPTIONAL:
            return NotAllowed(found.reason, found.detail, where="queue")
        return found


def _most_receives(policy: str) -> int:
    return int(json.loads(policy).get("maxReceiveCount", 0)) if policy else 0


def _message(told: Mapping[str, Any]) -> Message:
    known = told.get("Attributes", {})
    return Message(
        id=told["MessageId"],
        receipt=told["ReceiptHandle"],
        body=told.get("Body", ""),
        receive_count=int(known.get("ApproximateReceiveCount", 1)),
        sent=int(known.get("SentTimestamp", 0)),
        sender=str(known.get("SenderId", "")),
    )
