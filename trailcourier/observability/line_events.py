"""The log events of messages and of objects, and their counters."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Level = Literal["debug", "info", "warning", "error"]


class Count(msgspec.Struct, frozen=True):
    """What an event counts: *metric* grows by the field *by*, or by one.

    The labels are the fields of the same names, except those *fixed* here.  The event counts only
    if its fields have the values in *only*.
    """

    metric: str
    by: str = ""
    fixed: Mapping[str, str] = {}
    only: Mapping[str, str] = {}


class LogEvent(msgspec.Struct, frozen=True):
    """One kind of event.

    *fields* are the fields of its line.  *alike* names the fields that identify a cause: ten lines
    a minute are written for each cause.  Without *alike* every line is written, because it is the
    only record of the outcome of something.
    """

    level: Level
    text: str
    fields: tuple[str, ...] = ()
    counts: tuple[Count, ...] = ()
    alike: tuple[str, ...] | None = None


def _object(status: str) -> Count:
    return Count("objects_total", fixed={"disposition": status})


_QUARANTINED = Count("objects_total", fixed={"disposition": "refused", "reason": "quarantined"})
_DUPLICATE = {"reason": "already-delivered"}
_FORWARDED = ("source", "object", "reason", "detail", "records", "seconds")

LINE_EVENTS: dict[str, LogEvent] = {
    # messages
    "messages_received": LogEvent(
        "debug",
        "A receive brought messages.",
        ("source", "messages"),
        (Count("messages_received_total", by="messages"),),
    ),
    "messages_released_unadmitted": LogEvent(
        "warning",
        "An error kept received messages from being admitted, mostly because the broker did not "
        "answer; they were released to the queue. Some of them may have been admitted before.",
        ("source", "messages", "not_admitted", "why"),
        (Count("messages_settled_total", by="not_admitted", fixed={"outcome": "not-admitted"}),),
    ),
    "messages_released_late": LogEvent(
        "info",
        "Messages arrived while the worker stopped; they were released to the queue.",
        ("source", "messages"),
        (Count("messages_settled_total", by="messages", fixed={"outcome": "not-admitted"}),),
    ),
    "message_read": LogEvent(
        "debug",
        "A message was decoded.",
        ("source", "message", "shape", "objects"),
        (Count("messages_total"),),
    ),
    "message_not_understood": LogEvent(
        "warning",
        "A message is not a known notification; it is quarantined and stays in the queue. See "
        "`trailcourier quarantine list`.",
        ("source", "message", "reason", "detail"),
        (
            Count("messages_refused_total"),
            Count("messages_settled_total", fixed={"outcome": "refused"}),
        ),
    ),
    "message_discarded": LogEvent(
        "info",
        "A message known to announce no log file was deleted.",
        ("source", "message", "kind"),
        (Count("messages_settled_total", fixed={"outcome": "discarded"}),),
    ),
    "message_not_discarded": LogEvent(
        "warning",
        "A message known to announce no log file could not be deleted; SQS redelivers it.",
        ("source", "message", "kind"),
        (Count("messages_settled_total", fixed={"outcome": "not-deleted"}),),
        alike=("source",),
    ),
    "message_failed": LogEvent(
        "error",
        "A bug kept a message from being admitted; please report it. It is tried five times in "
        "all.",
        ("source", "message", "error", "tries", "became"),
        (
            Count("bugs_total"),
            Count("messages_settled_total", fixed={"outcome": "failed"}, only={"became": "failed"}),
        ),
    ),
    "message_held": LogEvent(
        "debug",
        "A message was redelivered while it is leased; the lease now uses its newer receipt.",
        ("source", "message"),
        (Count("messages_settled_total", fixed={"outcome": "held-already"}),),
    ),
    "message_quarantined_before": LogEvent(
        "debug",
        "A message that was refused before was redelivered, and was not decoded again.",
        ("source", "message"),
        (Count("messages_settled_total", fixed={"outcome": "refused-before"}),),
    ),
    "messages_deleted": LogEvent(
        "debug",
        "Messages were deleted: every record was accepted or filtered.",
        ("source", "messages", "number"),
        (Count("messages_settled_total", by="number", fixed={"outcome": "deleted"}),),
    ),
    "message_left": LogEvent(
        "warning",
        "A message names a refused object; it was left to the queue's redrive policy. See "
        "`trailcourier quarantine list`.",
        ("source", "message"),
        (Count("messages_settled_total", fixed={"outcome": "left"}),),
    ),
    "message_released": LogEvent(
        "warning",
        "A message was released to the queue, because its forwards were lost repeatedly.",
        ("source", "message"),
        (
            Count("messages_released_total"),
            Count("messages_settled_total", fixed={"outcome": "released"}),
        ),
    ),
    "messages_left_full": LogEvent(
        "warning",
        "Messages were hidden in SQS, because too many objects of their bucket and account are "
        "parked.",
        ("source", "bucket", "messages"),
        (Count("messages_settled_total", by="messages", fixed={"outcome": "full"}),),
        alike=("source", "bucket"),
    ),
    "left_messages_released": LogEvent(
        "info",
        "Messages hidden in SQS were released, because their bucket has recovered.",
        ("source", "messages"),
    ),
    # leases
    "leases_extended": LogEvent(
        "debug",
        "Leases on messages were extended.",
        ("source", "messages"),
        (Count("leases_extended_total", by="messages"),),
    ),
    "lease_lost": LogEvent(
        "warning",
        "SQS no longer knows the receipt of a lease; it will redeliver the message. If that is "
        "frequent, look for another consumer of the queue.",
        ("source", "message", "error"),
        (
            Count("leases_lost_total"),
            Count("messages_settled_total", fixed={"outcome": "lost"}),
        ),
        alike=("source", "error"),
    ),
    "lease_given_up": LogEvent(
        "warning",
        "A message was leased for the twelve hours that SQS allows; SQS will redeliver it.",
        ("source", "message"),
        (
            Count("leases_given_up_total"),
            Count("messages_settled_total", fixed={"outcome": "given-up"}),
        ),
        alike=("source",),
    ),
    "queue_failed": LogEvent(
        "error",
        "A request to SQS, or one entry of it, failed.",
        ("source", "message", "error", "detail"),
        (Count("queue_failures_total"),),
        alike=("source", "error"),
    ),
    "degraded": LogEvent(
        "warning",
        "AWS denies changing the visibility of messages, so they are received for longer. Allow "
        "`sqs:ChangeMessageVisibility`.",
        ("source", "why"),
    ),
    "poll_held_up": LogEvent(
        "debug",
        "Nothing was received: there is no room, or a breaker is open.",
        ("source", "why"),
        alike=("source", "why"),
    ),
    # objects
    "objects_skipped": LogEvent(
        "info",
        "Announced objects that are no log files, or were delivered before.",
        ("source", "message", "object", "reason", "objects"),
        (
            Count("objects_total", by="objects", fixed={"disposition": "skipped"}),
            Count("duplicates_total", by="objects", only=_DUPLICATE),
        ),
    ),
    "skips_in_a_row": LogEvent(
        "warning",
        "All objects were skipped for one reason for a long time. If that is not intended, check "
        "what the queue is subscribed to.",
        ("source", "reason", "times"),
    ),
    "object_delivered": LogEvent(
        "info",
        "Every record was accepted by every sink, or filtered.",
        _FORWARDED,
        (_object("delivered"),),
    ),
    "object_skipped": LogEvent(
        "info",
        "An object had no record to deliver.",
        _FORWARDED,
        (_object("skipped"), Count("duplicates_total", only=_DUPLICATE)),
    ),
    "object_parked": LogEvent(
        "warning",
        "An object could not be delivered now; it is parked and retried.",
        _FORWARDED,
        (_object("parked"),),
        alike=("source", "reason"),
    ),
    "object_refused": LogEvent(
        "error",
        "An object cannot be delivered; it is quarantined, and its message stays in the queue. See "
        "`trailcourier quarantine list`.",
        _FORWARDED,
        (_object("refused"),),
    ),
    "object_refused_again": LogEvent(
        "error",
        "An object in quarantine was read again, for a new message or a retry, and refused again.",
        _FORWARDED,
        (_QUARANTINED,),
    ),
    "objects_refused_before": LogEvent(
        "warning",
        "A message names objects that are in quarantine, and stays in the queue.",
        ("source", "message", "objects"),
        (msgspec.structs.replace(_QUARANTINED, by="objects"),),
    ),
    "objects_unfinished": LogEvent(
        "warning",
        "The message of these objects was released before they had an outcome; SQS redelivers it.",
        ("source", "objects"),
        (Count("objects_total", by="objects", fixed={"disposition": "unfinished", "reason": ""}),),
    ),
    "object_pending": LogEvent(
        "debug",
        "Processing was interrupted and will be retried; this is not an error.",
        _FORWARDED,
        (_object("pending"),),
    ),
    "object_overtaken": LogEvent(
        "warning",
        "Another task took over this object; this task stops.",
        ("source", "object", "why"),
        alike=("source",),
    ),
    "forwards_again": LogEvent(
        "warning",
        "Lost or parked objects were dispatched again.",
        ("source", "why", "objects"),
        (Count("forwards_again_total", by="objects"),),
        alike=("source", "why"),
    ),
}
