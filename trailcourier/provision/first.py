"""The first receive from the live queue: that it can be read, and what is in it.

Saved, validated, live: the configuration that was written is loaded as the collector loads it, and
its source is received from once.  Whatever comes is visible again at once; it costs each message
one of its receives.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

import boto3
import msgspec

from trailcourier import aws, sqs
from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import Message
from trailcourier.notifications import UNREAD, decode
from trailcourier.regions import QueueAddress

PATIENCE = 60  # seconds; a new key, role or policy is not known everywhere at once
PAUSE = 3
_YOUNG = frozenset({"credentials", "queue-denied", "no-such-queue"})  # what may be so at first


class Live(msgspec.Struct, frozen=True):
    """Whether the queue could be received from, and what was seen there."""

    good: bool
    words: str


def receive(
    session: boto3.Session,
    address: QueueAddress,
    *,
    egress: Egress,
    wait: int = 10,
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Live:
    """Receive once, waiting *wait* seconds for a message, and *patience* for AWS to let us."""
    queue = sqs.Queue(session, address, egress=egress)
    deadline = time.monotonic() + patience
    while True:
        try:
            return Live(good=True, words=_seen(queue.receive(most=10, wait=wait, visibility=0)))
        except Fault as fault:
            if fault.reason not in _YOUNG or time.monotonic() > deadline:
                return Live(good=False, words=f"the queue cannot be received from: {fault.detail}")
            aws.forget(session)
            sleep(PAUSE)


def _seen(messages: Sequence[Message]) -> str:
    if not messages:
        return (
            "the queue can be received from, and is empty: the first log file comes some five to "
            "fifteen minutes after the first event"
        )
    kinds = Counter(_kind(each.body) for each in messages)
    told = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    return f"the queue can be received from; in it, left as it is: {told}"


def _kind(body: str) -> str:
    try:
        notice = decode(body)
    except Fault as fault:
        return f"a message that is {fault.reason}"
    if notice.unread:
        return UNREAD[notice.unread].rstrip(".")
    return f"a notice of {len(notice.objects)} log files ({notice.shape})"
