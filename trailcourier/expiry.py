"""How much of a queue's patience is used up by what waits: its receives, and its time.

During an outage a message is held for twelve hours, the longest that SQS allows, and then received
once more.  With ``maxReceiveCount`` 10 it moves to the dead-letter queue after five days.  However
few its receives, the queue drops it at the end of its retention.
"""

from collections.abc import Iterator

from trailcourier.models import QueueLimits
from trailcourier.printable import age

HALF = 0.5  # from here on it is said
HOLD = 43_200  # seconds; SQS lets nobody hold a message for longer
LONGEST = 1_209_600  # seconds; SQS keeps nothing for longer


def used(limits: QueueLimits, receives: int, waited: float | None) -> float | None:
    """Return the larger part used, 1 for all of it; None where the queue tells no limit.

    *receives* is the highest receive count of a message, *waited* the longest wait in seconds.
    """
    parts = []
    if limits.receives and receives > 1:  # the first receive is no sign of anything
        parts.append(receives / limits.receives)
    if limits.kept and waited is not None:
        parts.append(waited / limits.kept)
    return max(parts, default=0.0 if limits.receives or limits.kept else None)


def warnings(limits: QueueLimits, receives: int, waited: float | None) -> Iterator[str]:
    """Say what is used to more than a half, what follows, and what to do."""
    by_receives = used(QueueLimits(receives=limits.receives), receives, None)
    if by_receives is not None and by_receives >= HALF:
        left = max(0, (limits.receives or 0) - receives)
        yield (
            f"A message was received {receives} of {limits.receives} times; after that it moves to "
            f"the dead-letter queue, in an outage after some {age(left * HOLD)}. Mend what holds "
            "the source up, or raise maxReceiveCount until then."
        )
    by_time = used(QueueLimits(kept=limits.kept), 0, waited)
    if by_time is not None and by_time >= HALF:
        longer = "" if limits.kept == LONGEST else ", or let the queue keep messages for 14 days"
        yield (
            f"The oldest message has waited {age(waited)}, and the queue drops it after "
            f"{age(limits.kept)}. Mend what holds the source up{longer}."
        )
