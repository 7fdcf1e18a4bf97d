"""How fast a source delivers, from two looks at it: nothing keeps a rate."""

from collections.abc import Mapping

import msgspec

from trailcourier.operations.source_status import DeliveryRate, SourceStatus

MESSAGES_ENDED = ("deleted", "unread", "left", "refused", "refused-before")
OBJECTS_ENDED = ("delivered", "skipped", "refused")


def with_rate(now: SourceStatus, before: SourceStatus, seconds: float) -> SourceStatus:
    """Return *now* with its rate since *before*, which was *seconds* earlier.

    Without a rate if no time has passed, or if the broker lost its counters meanwhile.
    """
    records = now.records["in"] - before.records["in"]
    objects = _ended(now.objects, OBJECTS_ENDED) - _ended(before.objects, OBJECTS_ENDED)
    messages = _ended(now.messages_by_outcome, MESSAGES_ENDED) - _ended(
        before.messages_by_outcome, MESSAGES_ENDED
    )
    if seconds <= 0 or min(records, objects, messages) < 0:
        return now
    rate = DeliveryRate(
        seconds=seconds,
        records=records / seconds,
        objects=objects / seconds,
        messages=messages / seconds,
        backlog_seconds=_time_left(now, messages / seconds),
    )
    return msgspec.structs.replace(now, rate=rate)


def _time_left(now: SourceStatus, rate: float) -> float | None:
    """Return in how many seconds the messages of *now* are done; None if that is unknown."""
    if now.depth is None:
        return None
    waiting = now.depth + now.messages
    if not waiting:
        return 0.0
    return waiting / rate if rate else None


def _ended(counted: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(by for name, by in counted.items() if name.partition(":")[0] in names)
