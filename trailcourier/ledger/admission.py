"""Admission: what to do with a message that was just received."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from trailcourier.ledger.entries import encode_limits, encode_ref
from trailcourier.ledger.quarantine import QuarantineEntry, encode_entry, entry_id
from trailcourier.ledger.scopes import bucket_scope
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store, announced_content, object_id
from trailcourier.models import Message, ObjectRef, Outcome


class NamedObject(msgspec.Struct, frozen=True):
    """An object that a message names.

    *outcome* is known where the object need not be read, else None.  *body* is the beginning of the
    message, for the quarantine entry of an object that is refused unread.  *accepts_any_form*
    says that it is read only because CloudTrail's own notification names it: its key has no known
    form.
    """

    ref: ObjectRef
    outcome: Outcome | None = None
    body: str = ""
    accepts_any_form: bool = False


class Admitted(msgspec.Struct, frozen=True):
    """What to do with a message that was just received.

    | kind | meaning |
    |---|---|
    | "work" | the message is leased; the objects at *indices* need work |
    | "settle" | the message is leased; no object needs work |
    | "held" | it was leased before, and some objects are still open |
    | "finished" | it was leased before, and no object is open any more |
    | "quarantined" | it was refused before |
    | "full" | *bucket* (with an account) has as many parked objects as it may have |

    *delivered_before* counts objects that were delivered before.  The objects at *refused_before*
    are in quarantine already and stay there; those at *judged* end with the outcome they came with.
    """

    kind: Literal["work", "settle", "held", "finished", "quarantined", "full"]
    indices: tuple[int, ...] = ()
    delivered_before: int = 0
    refused_before: tuple[int, ...] = ()
    judged: tuple[int, ...] = ()
    bucket: str = ""


ADMIT_MESSAGE = Script("admit_message")


def admit_message(
    store: Store, message: Message, named: Sequence[NamedObject], *, visibility: int,
    non_create: int, topic: str,
) -> Admitted:  # fmt: skip
    """Ask the ledger what to do with *message*; see ``Leases.admit``."""
    answer = store.call(
        ADMIT_MESSAGE, store.token(), message.id, message.receipt, message.receive_count,
        visibility * 1000, message.sent, message.sender, topic, store.spans, len(named), non_create,
        encode_limits(store), store.numbers.parked,
        *_arguments(message, named),
    )  # fmt: skip
    kind, bucket, *details = answer
    if not details:
        return Admitted(kind.decode(), bucket=bucket.decode())
    indices, delivered, refused, judged = details
    return Admitted(kind.decode(), tuple(indices), delivered, tuple(refused), tuple(judged))


def _arguments(message: Message, named: Sequence[NamedObject]) -> Iterator[str | bytes]:
    """Yield what the script takes for each object, in the order its header gives."""
    for each in named:
        ref = each.ref
        yield object_id(ref)
        yield announced_content(ref)
        yield encode_ref(ref)
        yield bucket_scope(ref)
        yield str(each.outcome or "")
        yield entry_id(ref)
        refused = each.outcome is not None and each.outcome.status == "refused"
        yield encode_entry(_entry(message, each)) if refused else b""
        yield "1" if each.accepts_any_form else ""


def _entry(message: Message, each: NamedObject) -> QuarantineEntry:
    reason = each.outcome.reason if each.outcome else ""
    return QuarantineEntry(
        entry_id(each.ref), "object", reason, str(each.ref), each.ref, message.id, body=each.body
    )
