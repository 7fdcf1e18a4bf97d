"""The SQS queue of one event source.

Deleting a message cannot be undone.  Only two callers may use ``Queue.delete``:
``line.queue.commit``, and ``dead_letters`` for messages it has sent to the source's queue.
"""

import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import boto3
import msgspec
from botocore.exceptions import ClientError

from trailcourier.aws import clients, faults, sessions
from trailcourier.aws.network import Network
from trailcourier.aws.regions import QueueAddress
from trailcourier.errors import Fault
from trailcourier.models import Message, QueueLimits

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DEPTH_ATTRIBUTES = tuple(
    f"ApproximateNumberOfMessages{each}" for each in ("", "NotVisible", "Delayed")
)
BATCH = 10  # entries in one SQS call, at most
REDRIVE_CACHED = 600  # seconds; a redrive policy rarely changes

UNANSWERED = "Unanswered"  # our code for a batch entry that the response does not mention
# the lease is lost: the visibility ended, the message was deleted, or 12 hours have passed
LOST = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
OPTIONAL = frozenset({"change_message_visibility_batch", "get_queue_attributes"})

_T = TypeVar("_T")


class NotAllowed(Fault):
    """The credentials do not allow this call, and the line can work without it."""


class BatchResult(msgspec.Struct, frozen=True):
    """The result of a batch call, by message id.

    *lost* and *failed* map message ids to SQS's codes.  For a lost message SQS no longer accepts
    our receipt; *failed* has every other error.
    """

    done: tuple[str, ...] = ()
    lost: Mapping[str, str] = {}
    failed: Mapping[str, str] = {}


class _SystemAttributes(msgspec.Struct, frozen=True):
    receive_count: int = msgspec.field(name="ApproximateReceiveCount", default=1)
    sent: int = msgspec.field(name="SentTimestamp", default=0)
    sender: str = msgspec.field(name="SenderId", default="")


class _Received(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="MessageId")
    receipt: str = msgspec.field(name="ReceiptHandle")
    body: str = msgspec.field(name="Body", default="")
    system: _SystemAttributes = msgspec.field(name="Attributes", default=_SystemAttributes())


class _ReceiveResponse(msgspec.Struct, frozen=True):
    messages: tuple[_Received, ...] = msgspec.field(name="Messages", default=())


class _DoneEntry(msgspec.Struct, frozen=True):
    index: int = msgspec.field(name="Id")


class _FailedEntry(msgspec.Struct, frozen=True):
    index: int = msgspec.field(name="Id")
    code: str = msgspec.field(name="Code")


class _BatchResponse(msgspec.Struct, frozen=True):
    done: tuple[_DoneEntry, ...] = msgspec.field(name="Successful", default=())
    failed: tuple[_FailedEntry, ...] = msgspec.field(name="Failed", default=())


class RedrivePolicy(msgspec.Struct, frozen=True):
    """A redrive policy: SQS moves a message to *target* (an ARN) after *max_receives* receives."""

    max_receives: int = msgspec.field(name="maxReceiveCount", default=0)
    target: str = msgspec.field(name="deadLetterTargetArn", default="")

    @classmethod
    def parse(cls, text: str) -> "RedrivePolicy | None":
        """Parse the queue's attribute, which may be empty; None if it is malformed."""
        try:
            return msgspec.json.decode(text, type=cls, strict=False) if text else cls()
        except ValueError:
            return None


class _AttributesResponse(msgspec.Struct, frozen=True):
    attributes: dict[str, str] = msgspec.field(name="Attributes", default_factory=dict)


class QueueDepth(msgspec.Struct, frozen=True):
    """How many messages the queue holds; SQS calls all three numbers approximate."""

    visible: int
    in_flight: int
    delayed: int
    limits: QueueLimits = QueueLimits()


def queue_network(network: Network, address: QueueAddress) -> Network:
    """Return *network* with the endpoint and the kind of host that the queue's URL contains."""
    hosts = network.with_hosts(fips=address.fips, dualstack=address.dualstack)
    return hosts.with_endpoint("sqs", address.endpoint)


class Queue:
    """The queue at *address*; threads may share one.

    Every call raises Fault, with *where* ``"queue"``, if SQS or the connection to it fails.
    """

    def __init__(
        self,
        session: boto3.Session,
        address: QueueAddress,
        *,
        network: Network,
    ) -> None:
        self._session = session
        self._url = address.url
        network = queue_network(network, address)
        self._client: SQSClient = cast(
            "SQSClient", clients.make_client(session, "sqs", address.region, network=network)
        )
        self._max_receives: tuple[float, int | None] | None = None  # with the time it was read

    def receive(self, *, most: int, wait: int, visibility: int) -> list[Message]:
        """Return up to *most* (1-10) messages; waits up to *wait* seconds (0-20) for the first.

        SQS hides them from other receivers for *visibility* seconds.
        """
        response = self.call(
            "receive_message",
            _ReceiveResponse,
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
                receive_count=each.system.receive_count,
                sent=each.system.sent,
                sender=each.system.sender,
            )
            for each in response.messages
        ]

    def change_visibility(self, entries: Sequence[tuple[str, str, int]]) -> BatchResult:
        """Set the visibility of each (id, receipt, seconds) from now; 0 releases the message.

        Raises NotAllowed if ``sqs:ChangeMessageVisibility`` is denied.
        """
        return self._batches(
            "change_message_visibility_batch",
            entries,
            [
                {"ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for _, receipt, seconds in entries
            ],
        )

    def delete(self, entries: Sequence[tuple[str, str]]) -> BatchResult:
        """Delete each (id, receipt); the module's docstring says who may call this."""
        return self._batches(
            "delete_message_batch", entries, [{"ReceiptHandle": receipt} for _, receipt in entries]
        )

    def depth(self) -> QueueDepth | None:
        """Return the queue's depth; None if it cannot be read.

        That is so if ``sqs:GetQueueAttributes`` is denied, or a compatible service has no depth.
        """
        values = self.attributes(*DEPTH_ATTRIBUTES, "MessageRetentionPeriod", "RedrivePolicy")
        if values is None or not values[0].isdecimal():
            return None
        visible, in_flight, delayed, retention = (
            int(each) if each.isdecimal() else 0 for each in values[:4]
        )
        policy = RedrivePolicy.parse(values[4])
        limits = QueueLimits(retention or None, None if policy is None else policy.max_receives)
        return QueueDepth(visible, in_flight, delayed, limits)

    def max_receives(self) -> int | None:
        """Return after how many receives SQS moves a message to the dead-letter queue.

        0 without a redrive policy; None if it cannot be read.  Cached for ten minutes.
        """
        now = time.monotonic()
        if self._max_receives is None or now > self._max_receives[0] + REDRIVE_CACHED:
            values = self.attributes("RedrivePolicy")
            policy = None if values is None else RedrivePolicy.parse(values[0])
            self._max_receives = (now, None if policy is None else policy.max_receives)
        return self._max_receives[1]

    def with_url(self, url: str) -> "Queue":
        """Return the queue at *url*, which is in the same region and uses the same client."""
        other = copy.copy(self)
        other._url, other._max_receives = url, None  # noqa: SLF001 - same class
        return other

    def attributes(self, *names: str) -> list[str] | None:
        """Return these attributes, "" for a missing one; None if reading them is denied."""
        try:
            response = self.call(
                "get_queue_attributes", _AttributesResponse, AttributeNames=list(names)
            )
        except NotAllowed:
            return None
        return [response.attributes.get(name, "") for name in names]

    def _batches(
        self, operation: str, entries: Sequence[tuple[Any, ...]], fields: Sequence[dict[str, Any]]
    ) -> BatchResult:
        done: list[str] = []
        lost: dict[str, str] = {}
        failed: dict[str, str] = {}
        for start in range(0, len(entries), BATCH):
            ids = [entry[0] for entry in entries[start : start + BATCH]]
            # entry ids may have 80 characters, fewer than a message id: send the index instead
            batch = [
                {"Id": str(index), **each}
                for index, each in enumerate(fields[start : start + BATCH])
            ]
            response = self.call(operation, _BatchResponse, Entries=batch)
            codes = dict.fromkeys(range(len(ids)), UNANSWERED)
            codes |= {each.index: each.code for each in response.failed}
            codes |= {each.index: "" for each in response.done}
            for index, id_ in enumerate(ids):
                code = codes[index].removeprefix("AWS.SimpleQueueService.")
                if not code:
                    done.append(id_)
                else:
                    (lost if code in LOST else failed)[id_] = code
        return BatchResult(tuple(done), lost, failed)

    def call(self, operation: str, shape: type[_T], *, url: bool = True, **parameters: Any) -> _T:
        """Call SQS's *operation* and return the response as a *shape*.

        *url* adds this queue's URL to the *parameters*.
        """
        if url:
            parameters["QueueUrl"] = self._url
        try:
            response: dict[str, Any] = getattr(self._client, operation)(**parameters)
        except faults.AWS_ERRORS as error:
            raise self._to_fault(operation, error) from error
        try:
            return msgspec.convert(response, type=shape, strict=False)
        except msgspec.ValidationError as error:
            what = f"{self._url}: the response to {operation} does not have SQS's form"
            raise Fault("not-aws", f"{what}: {error}", where="queue") from error

    def _to_fault(self, operation: str, error: Exception) -> Fault:
        found = faults.to_fault(error, what=self._url, where="queue")
        if found.reason in faults.CREDENTIAL_REASONS:
            sessions.forget_keys(self._session)
        if (
            isinstance(error, ClientError)
            and faults.codes(error) & DENIED
            and operation in OPTIONAL
        ):
            return NotAllowed(found.reason, found.detail, where="queue")
        return found
