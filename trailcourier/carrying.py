"""What is said of messages and of objects, and what that counts."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Level = Literal["debug", "info", "warning", "error"]


class Count(msgspec.Struct, frozen=True):
    """What a fact counts: *metric*, by the field *by* or by one.

    Labels are the fact's fields of the same names, but for those *fixed* here; a fact counts only
    where its fields hold what *only* says.
    """

    metric: str
    by: str = ""
    fixed: Mapping[str, str] = {}
    only: Mapping[str, str] = {}


class Fact(msgspec.Struct, frozen=True):
    """One thing that happens.

    *fields* are what its line carries.  A fact may be said again and again by one cause: *alike*
    names the fields that tell causes apart, and of one cause ten lines a minute are written.
    Without *alike* every line is: it is the record of what became of something.
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
_CARRIED = ("source", "object", "reason", "detail", "records", "seconds")

CARRYING: dict[str, Fact] = {
    # messages
    "messages_received": Fact(
        "debug",
        "A receive brought messages.",
        ("source", "messages"),
        (Count("messages_received_total", by="messages"),),
    ),
    "messages_given_back": Fact(
        "warning",
        "An error kept received messages from being admitted, most often because the broker went "
        "away; the queue has them again. Some of them may have been admitted before.",
        ("source", "messages", "not_admitted", "why"),
        (Count("messages_settled_total", by="not_admitted", fixed={"outcome": "not-admitted"}),),
    ),
    "messages_came_late": Fact(
        "info",
        "Messages came while the worker stopped; the queue has them again.",
        ("source", "messages"),
        (Count("messages_settled_total", by="messages", fixed={"outcome": "not-admitted"}),),
    ),
    "message_read": Fact(
        "debug",
        "A message was understood.",
        ("source", "message", "shape", "objects"),
        (Count("messages_total"),),
    ),
    "message_not_understood": Fact(
        "warning",
        "A message announces nothing that is known; it stays.",
        ("source", "message", "reason", "detail"),
        (
            Count("messages_refused_total"),
            Count("messages_settled_total", fixed={"outcome": "refused"}),
        ),
    ),
    "message_discarded": Fact(
        "info",
        "A message that positively announces no log was deleted.",
        ("source", "message", "kind"),
        (Count("messages_settled_total", fixed={"outcome": "discarded"}),),
    ),
    "message_not_discarded": Fact(
        "warning",
        "A message that positively announces no log could not be deleted; it comes again.",
        ("source", "message", "kind"),
        (Count("messages_settled_total", fixed={"outcome": "not-deleted"}),),
        alike=("source",),
    ),
    "message_failed": Fact(
        "error",
        "An error nobody foresaw kept a message from being admitted; please report it. It is tried "
        "again, five times in all.",
        ("source", "message", "error", "tries", "became"),
        (
            Count("bugs_total"),
            Count("messages_settled_total", fixed={"outcome": "failed"}, only={"became": "failed"}),
        ),
    ),
    "message_held": Fact(
        "debug",
        "A message came again while it was held; its receipt was noted.",
        ("source", "message"),
        (Count("messages_settled_total", fixed={"outcome": "held-already"}),),
    ),
    "message_quarantined_before": Fact(
        "debug",
        "A refused message came back and was not read again.",
        ("source", "message"),
        (Count("messages_settled_total", fixed={"outcome": "refused-before"}),),
    ),
    "messages_deleted": Fact(
        "debug",
        "Messages were deleted: every record was accepted.",
        ("source", "messages", "number"),
        (Count("messages_settled_total", by="number", fixed={"outcome": "deleted"}),),
    ),
    "message_left": Fact(
        "warning",
        "A message stays for the queue's redrive policy to take.",
        ("source", "message"),
        (Count("messages_settled_total", fixed={"outcome": "left"}),),
    ),
    "message_given_back": Fact(
        "warning",
        "A message was given back: its work was lost repeatedly.",
        ("source", "message"),
        (
            Count("messages_given_back_total"),
            Count("messages_settled_total", fixed={"outcome": "given-back"}),
        ),
    ),
    "messages_left_full": Fact(
        "warning",
        "Messages were left to the queue: too many objects of their bucket and account are parked.",
        ("source", "bucket", "messages"),
        (Count("messages_settled_total", by="messages", fixed={"outcome": "full"}),),
        alike=("source", "bucket"),
    ),
    "messages_handed_back": Fact(
        "info",
        "Messages left to the queue were handed back to it, as their bucket has recovered.",
        ("source", "messages"),
    ),
    # leases
    "leases_extended": Fact(
        "debug",
        "Holds on messages were extended.",
        ("source", "messages"),
        (Count("leases_extended_total", by="messages"),),
    ),
    "lease_lost": Fact(
        "warning",
        "The queue no longer knows our hold on a message.",
        ("source", "message", "error"),
        (
            Count("leases_lost_total"),
            Count("messages_settled_total", fixed={"outcome": "lost"}),
        ),
        alike=("source", "error"),
    ),
    "lease_let_go": Fact(
        "warning",
        "A message was held as long as SQS allows; it will come again.",
        ("source", "message"),
        (
            Count("leases_let_go_total"),
            Count("messages_settled_total", fixed={"outcome": "let-go"}),
        ),
        alike=("source",),
    ),
    "queue_failed": Fact(
        "error",
        "The queue did not do what was asked.",
        ("source", "message", "error", "detail"),
        (Count("queue_failures_total"),),
        alike=("source", "error"),
    ),
    "degraded": Fact(
        "warning",
        "Visibility cannot be changed; messages are received for longer.",
        ("source", "why"),
    ),
    "poll_held_up": Fact(
        "debug",
        "Nothing was received: there is no room, or a breaker is open.",
        ("source", "why"),
        alike=("source", "why"),
    ),
    # objects
    "objects_skipped": Fact(
        "info",
        "Announced objects that carry no events.",
        ("source", "message", "object", "reason", "objects"),
        (
            Count("objects_total", by="objects", fixed={"disposition": "skipped"}),
            Count("duplicates_total", by="objects", only=_DUPLICATE),
        ),
    ),
    "skips_in_a_row": Fact(
        "warning",
        "Only skips of one reason for a long time: is this intended?",
        ("source", "reason", "times"),
    ),
    "object_delivered": Fact(
        "info",
        "Every record was accepted by every sink, or filtered.",
        _CARRIED,
        (_object("delivered"),),
    ),
    "object_skipped": Fact(
        "info",
        "An object had nothing to carry.",
        _CARRIED,
        (_object("skipped"), Count("duplicates_total", only=_DUPLICATE)),
    ),
    "object_parked": Fact(
        "warning",
        "An object could not be carried now; it is tried again.",
        _CARRIED,
        (_object("parked"),),
        alike=("source", "reason"),
    ),
    "object_refused": Fact(
        "error",
        "An object cannot be carried; its message stays in the queue.",
        _CARRIED,
        (_object("refused"),),
    ),
    "object_refused_again": Fact(
        "error",
        "An object in quarantine was read anew, for a new message or a retry, and refused again.",
        _CARRIED,
        (_QUARANTINED,),
    ),
    "objects_refused_before": Fact(
        "warning",
        "A message names objects that are in quarantine, and stays in the queue.",
        ("source", "message", "objects"),
        (msgspec.structs.replace(_QUARANTINED, by="objects"),),
    ),
    "objects_unfinished": Fact(
        "warning",
        "The message of these objects was given back before they were done; they come again with "
        "it.",
        ("source", "objects"),
        (Count("objects_total", by="objects", fixed={"disposition": "unfinished", "reason": ""}),),
    ),
    "object_pending": Fact(
        "debug",
        "Processing was interrupted and will be retried; this is not an error.",
        _CARRIED,
        (_object("pending"),),
    ),
    "object_overtaken": Fact(
        "warning",
        "Another copy of this work took over; this one stops.",
        ("source", "object", "why"),
        alike=("source",),
    ),
    "forwards_again": Fact(
        "warning",
        "Lost or parked objects were dispatched again.",
        ("source", "why", "objects"),
        (Count("forwards_again_total", by="objects"),),
        alike=("source", "why"),
    ),
}
