"""One event source's queue.

Deleting a message is the one thing that cannot be taken back: only ``line.queue.commit`` may call
``Queue.delete``, and ``deadletters`` for what it has sent to the source's queue.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import boto3
import msgspec
from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import Message, QueueLimits
from trailcourier.regions import QueueAddress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

COUNTS = tuple(f"ApproximateNumberOfMessages{each}" for each in ("", "NotVisible", "Delayed"))
BATCH = 10  # entries SQS takes in one call
REDRIVE_KNOWN = 600  # seconds; a redrive policy seldom changes

UNANSWERED = "Unanswered"  # of an entry of a batch that its answer does not mention
# our hold is gone: the visibility ended, the message was deleted, or 12 hours are reached
LOST = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
OPTIONAL = frozenset({"change_message_visibility_batch", "get_queue_attributes"})

_T = TypeVar("_T")


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


class _Known(msgspec.Struct, frozen=True):
    receive_count: int = msgspec.field(name="ApproximateReceiveCount", default=1)
    sent: int = msgspec.field(name="SentTimestamp", default=0)
    sender: str = msgspec.field(name="SenderId", default="")


class _Received(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="MessageId")
    receipt: str = msgspec.field(name="ReceiptHandle")
    body: str = msgspec.field(name="Body", default="")
    known: _Known = msgspec.field(name="Attributes", default=_Known())


class _Receive(msgspec.Struct, frozen=True):
    messages: tuple[_Received, ...] = msgspec.field(name="Messages", default=())


class _Done(msgspec.Struct, frozen=True):
    at: int = msgspec.field(name="Id")


class _Failed(msgspec.Struct, frozen=True):
    at: int = msgspec.field(name="Id")
    code: str = msgspec.field(name="Code")


class _Batch(msgspec.Struct, frozen=True):
    done: tuple[_Done, ...] = msgspec.field(name="Successful", default=())
    failed: tuple[_Failed, ...] = msgspec.field(name="Failed", default=())


class RedrivePolicy(msgspec.Struct, frozen=True):
    """After how many receives a message moves, and the ARN of the queue it moves to."""

    most: int = msgspec.field(name="maxReceiveCount", default=0)
    target: str = msgspec.field(name="deadLetterTargetArn", default="")

    @classmethod
    def of(cls, text: str) -> "RedrivePolicy | None":
        """Return what an attribute says, which may be empty; None for what makes no sense."""
        try:
            return msgspec.json.decode(text, type=cls, strict=False) if text else cls()
        except ValueError:
            return None


class _Attributes(msgspec.Struct, frozen=True):
    told: dict[str, str] = msgspec.field(name="Attributes", default_factory=dict)


class Depth(msgspec.Struct, frozen=True):
    """How many messages the queue holds; SQS calls each of these numbers approximate."""

    visible: int
    in_flight: int
    delayed: int
    limits: QueueLimits = QueueLimits()


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
        answer = self.ask(
            "receive_message",
            _Receive,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            VisibilityTimeout=visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "SenderId"],
        )
        return [
            Message(
                each.id,
                each.receipt,
                each.body,
                receive_count=each.known.receive_count,
                sent=each.known.sent,
                sender=each.known.sender,
            )
            for each in answer.messages
        ]

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
        """Return how much waits, or None where SQS does not say.

        That is where ``sqs:GetQueueAttributes`` is denied, or a compatible service knows no depth.
        """
        told = self.attributes(*COUNTS, "MessageRetentionPeriod", "RedrivePolicy")
        if told is None or not told[0].isdecimal():
            return None
        visible, flying, delayed, kept = (int(each) if each.isdecimal() else 0 for each in told[:4])
        policy = RedrivePolicy.of(told[4])
        limits = QueueLimits(kept or None, None if policy is None else policy.most)
        return Depth(visible, flying, delayed, limits)

    def redrive(self) -> int | None:
        """Return after how many receives SQS moves a message to the dead-letter queue.

        0 without such a policy; None where SQS does not say.
        """
        now = time.monotonic()
        if self._redrive is None or now > self._redrive[0] + REDRIVE_KNOWN:
            told = self.attributes("RedrivePolicy")
            policy = None if told is None else RedrivePolicy.of(told[0])
            self._redrive = (now, None if policy is None else policy.most)
        return self._redrive[1]

    def at(self, url: str) -> "Queue":
        """Return the queue at *url* of the same region, asked by the same client."""
        other = copy.copy(self)
        other._url, other._redrive = url, None  # noqa: SLF001 - one of ours
        return other

    def attributes(self, *names: str) -> list[str] | None:
        """Return these attributes, "" for one that is left out; None where they are denied."""
        try:
            answer = self.ask("get_queue_attributes", _Attributes, AttributeNames=list(names))
        except NotAllowed:
            return None
        return [answer.told.get(name, "") for name in names]

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
            answer = self.ask(operation, _Batch, Entries=batch)
            codes = dict.fromkeys(range(len(ids)), UNANSWERED)
            codes |= {each.at: each.code for each in answer.failed}
            codes |= {each.at: "" for each in answer.done}
            for at, id_ in enumerate(ids):
                code = codes[at].removeprefix("AWS.SimpleQueueService.")
                if not code:
                    done.append(id_)
                else:
                    (lost if code in LOST else failed)[id_] = code
        return Changed(tuple(done), lost, failed)

    def ask(self, operation: str, shape: type[_T], *, url: bool = True, **given: Any) -> _T:
        """Return SQS's answer to *operation* as a *shape*; *url* says that it is of this queue."""
        if url:
            given["QueueUrl"] = self._url
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**given)
        except aws.ERRORS as error:
            raise self._fault(operation, error) from error
        try:
            return msgspec.convert(answer, type=shape, strict=False)
        except msgspec.ValidationError as error:
            what = f"{self._url}: the answer to {operation} has another form than SQS gives it"
            raise Fault("not-aws", f"{what}: {error}", where="queue") from error

    def _fault(self, operation: str, error: Exception) -> Fault:
        found = aws.fault(error, what=self._url, where="queue")
        if found.reason in aws.OF_KEYS:
            aws.forget(self._session)
        if isinstance(error, ClientError) and aws.codes(error) & DENIED and operation in OPTIONAL:
            return NotAllowed(found.reason, found.detail, where="queue")
        return found
