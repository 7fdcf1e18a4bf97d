"""How close the oldest message is to leaving its queue: by its receives, and by its age.

During an outage a message is held for twelve hours, the longest that SQS allows, and then received
once more.  With ``maxReceiveCount`` 10 it moves to the dead-letter queue after five days.  However
few its receives, the queue drops it at the end of its retention.
"""

from collections.abc import Iterator

from trailcourier.models import QueueLimits
from trailcourier.text import age

HALF = 0.5  # the share of a limit from which on an operator is warned
HOLD = 43_200  # seconds; SQS lets nobody hold a message for longer
LONGEST = 1_209_600  # seconds; SQS keeps nothing for longer


def used(limits: QueueLimits, receives: int, waited: float | None) -> float | None:
    """Return the larger share used of both limits, 1 for all of it; None if no limit is known.

    *receives* is the highest receive count of a message, *waited* the longest wait in seconds.
    """
    parts = []
    if limits.receives and receives > 1:  # the first receive says nothing about trouble
        parts.append(receives / limits.receives)
    if limits.kept and waited is not None:
        parts.append(waited / limits.kept)
    return max(parts, default=0.0 if limits.receives or limits.kept else None)


def warnings(limits: QueueLimits, receives: int, waited: float | None) -> Iterator[str]:
    """Describe each limit that is used by half or more: what follows, and what to do."""
    by_receives = used(QueueLimits(receives=limits.receives), receives, None)
    if by_receives is not None and by_receives >= HALF:
        left = max(0, (limits.receives or 0) - receives)
        yield (
            f"A message was received {receives} of {limits.receives} times; after that SQS moves "
            f"it to the dead-letter queue (if an outage goes on, in about {age(left * HOLD)}). "
            "Repair what keeps the source from delivering, or raise maxReceiveCount until then."
        )
    by_time = used(QueueLimits(kept=limits.kept), 0, waited)
    if by_time is not None and by_time >= HALF:
        longer = "" if limits.kept == LONGEST else ", or let the queue keep messages for 14 days"
        yield (
            f"The oldest message has waited {age(waited)}, and the queue drops it after "
            f"{age(limits.kept)}. Repair what keeps the source from delivering{longer}."
        )
