"""A source's dead-letter queue: what lies there, and how it gets back to the source's queue.

SQS moves a message there after ``maxReceiveCount`` receives.  It moves messages back by a task of
its own (``StartMessageMoveTask``); where that is not there, or would move other queues' messages
too, they are received, sent and deleted here, in this order, so that none is ever in neither queue.
A message that was moved back, by the one or the other, is new to SQS: it has another id.
"""

from trailcourier import regions
from trailcourier.deadletters.letters import Contents, DeadLetter, MoveTask, by_bytes
from trailcourier.deadletters.queue import HELD, DeadLetters
from trailcourier.errors import Fault
from trailcourier.sqs import Queue, RedrivePolicy

__all__ = ["HELD", "Contents", "DeadLetter", "DeadLetters", "MoveTask", "by_bytes", "find"]


def find(source: Queue, origin: regions.QueueAddress, named: str = "") -> DeadLetters | None:
    """Return the dead-letter queue of a source's queue, or the one whose URL is *named*.

    None where the queue has no redrive policy.  Raises Fault where that may not be seen, ValueError
    for a URL that is no other queue's.
    """
    if named:
        dead = DeadLetters(source, origin, named)
        if dead.address.identity == origin.identity:
            raise ValueError("is the source's own queue; the dead-letter queue is another")
        return dead
    told = source.attributes("RedrivePolicy")
    if told is None:
        said = f"the redrive policy of {origin.url} may not be seen (sqs:GetQueueAttributes)"
        raise Fault(
            "queue-denied", f"{said}: allow it, or name the queue: --dlq URL", where="queue"
        )
    policy = RedrivePolicy.of(told[0])
    name = (policy.target if policy else "").rpartition(":")[2]
    if not name:
        return None
    # SQS has it that both are of one account and one region
    return DeadLetters(source, origin, f"{origin.url.rpartition('/')[0]}/{name}")
