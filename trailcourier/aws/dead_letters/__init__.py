"""A source's dead-letter queue: its messages, and moving them back to the source's queue.

SQS moves a message there after ``maxReceiveCount`` receives, and moves messages back with a move
task (``StartMessageMoveTask``).  If the server has no move tasks, or a task would also move other
queues' messages, Trailcourier receives, sends and deletes each message itself, in this order, so
that a message is always in at least one queue.  Either way a moved message is new to SQS and has
another id.
"""

from trailcourier.aws import regions
from trailcourier.aws.dead_letters.letters import Contents, DeadLetter, MoveTask, split_by_size
from trailcourier.aws.dead_letters.queue import HELD, DeadLetters
from trailcourier.aws.sqs import Queue, RedrivePolicy
from trailcourier.errors import Fault

__all__ = ["HELD", "Contents", "DeadLetter", "DeadLetters", "MoveTask", "find", "split_by_size"]


def find(source: Queue, origin: regions.QueueAddress, named: str = "") -> DeadLetters | None:
    """Return the dead-letter queue of the queue *source*, or the one at the URL *named*.

    None if the queue has no redrive policy.  Raises Fault if the policy cannot be read, ValueError
    if *named* is not a queue URL or is that of the source's own queue.
    """
    if named:
        dead = DeadLetters(source, origin, named)
        if dead.address.identity == origin.identity:
            raise ValueError("is the source's own queue: give the URL of its dead-letter queue")
        return dead
    values = source.attributes("RedrivePolicy")
    if values is None:
        denied = f"cannot read the redrive policy of {origin.url}: sqs:GetQueueAttributes is denied"
        raise Fault(
            "queue-denied", f"{denied}; allow it, or name the queue with --dlq URL", where="queue"
        )
    policy = RedrivePolicy.parse(values[0])
    name = (policy.target if policy else "").rpartition(":")[2]
    if not name:
        return None
    # SQS requires that both queues are in one account and one region
    return DeadLetters(source, origin, f"{origin.url.rpartition('/')[0]}/{name}")
