"""Receive once from the live queue, to show that it can be read and what it holds.

The configuration that setup wrote is loaded as the collector loads it. Messages that arrive are
visible again at once; the receive adds one to the receive count of each.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

import boto3
import msgspec

from trailcourier.aws import sessions, sqs
from trailcourier.aws.network import Network
from trailcourier.aws.regions import QueueAddress
from trailcourier.errors import Fault
from trailcourier.models import Message
from trailcourier.notifications import NO_LOG, decode

PROPAGATION_SECONDS = 60  # AWS needs time until a new key, role or policy is known everywhere
RETRY_SECONDS = 3
# what AWS may answer until then
_NOT_YET_PROPAGATED = frozenset({"credentials", "queue-denied", "no-such-queue"})


class ReceiveResult(msgspec.Struct, frozen=True):
    """Whether the queue could be received from, and what it held."""

    good: bool
    summary: str = msgspec.field(name="words")


def receive(
    session: boto3.Session,
    address: QueueAddress,
    *,
    network: Network,
    wait: int = 10,
    patience: float = PROPAGATION_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> ReceiveResult:
    """Receive once, waiting *wait* seconds for a message.

    Retries for *patience* seconds while AWS may not know the new key, role or policy.
    """
    queue = sqs.Queue(session, address, network=network)
    deadline = time.monotonic() + patience
    while True:
        try:
            messages = queue.receive(most=10, wait=wait, visibility=0)
            return ReceiveResult(good=True, summary=_describe(messages))
        except Fault as fault:
            if fault.reason not in _NOT_YET_PROPAGATED or time.monotonic() > deadline:
                summary = f"the queue cannot be received from: {fault.detail}"
                return ReceiveResult(good=False, summary=summary)
            sessions.forget_keys(session)
            sleep(RETRY_SECONDS)


def _describe(messages: Sequence[Message]) -> str:
    if not messages:
        return (
            "the queue can be received from and is empty: the first log file arrives five to "
            "fifteen minutes after the first event"
        )
    counts = Counter(_message_kind(each.body) for each in messages)
    kinds = ", ".join(f"{count} x {kind}" for kind, count in counts.items())
    return f"the queue can be received from; setup left these messages in it: {kinds}"


def _message_kind(body: str) -> str:
    try:
        notification = decode(body)
    except Fault as fault:
        return f"a message that is {fault.reason}"
    if notification.no_log:
        return NO_LOG[notification.no_log].rstrip(".")
    return f"a notification of {len(notification.objects)} log files ({notification.shape})"
