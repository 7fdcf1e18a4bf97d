"""Admission: what is to be done with a message that was just received."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from trailcourier.ledger.entries import encoded_ref, room
from trailcourier.ledger.quarantine import Entry, encoded, entry_id
from trailcourier.ledger.scopes import bucket_scope
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store, announced_content, object_id
from trailcourier.models import Message, ObjectRef


class Named(msgspec.Struct, frozen=True):
    """An object as a message names it; *verdict* is its outcome where no read is needed.

    *body* is the beginning of the message, for the entry of one that is refused so; *vouched* says
    that CloudTrail itself names it, although its key has no known shape.
    """

    ref: ObjectRef
    verdict: str = ""
    body: str = ""
    vouched: bool = False


class Admitted(msgspec.Struct, frozen=True):
    """What to do with a message just received.

    "work": it is leased, and *indices* are the objects that need work; "settle": none does;
    "held": it was leased before, and "finished" that one needs nothing any more; "quarantined": it
    was refused before; "full": *bucket*, with an account, has as many parked objects as are held.
    *known* counts objects delivered before, *again* are those that are in
    quarantine already and stay there, *judged* the others of which the verdict is the outcome.
    """

    kind: Literal["work", "settle", "held", "finished", "quarantined", "full"]
    indices: tuple[int, ...] = ()
    known: int = 0
    again: tuple[int, ...] = ()
    judged: tuple[int, ...] = ()
    bucket: str = ""


ADMIT_MESSAGE = Script("admit_message")


def admitted(
    store: Store, message: Message, named: Sequence[Named], *, visibility: int, beside: int,
    topic: str,
) -> Admitted:  # fmt: skip
    """Ask the ledger what to do with *message*; see ``Leases.admit``."""
    answer = store.call(
        ADMIT_MESSAGE, store.token(), message.id, message.receipt, message.receive_count,
        visibility * 1000, message.sent, message.sender, topic, store.spans, len(named), beside,
        room(store), store.numbers.parked,
        *_flat(message, named),
    )  # fmt: skip
    kind, bucket, *more = answer
    if not more:
        return Admitted(kind.decode(), bucket=bucket.decode())
    indices, known, again, judged = more
    return Admitted(kind.decode(), tuple(indices), known, tuple(again), tuple(judged))


def _flat(message: Message, named: Sequence[Named]) -> Iterator[str | bytes]:
    for each in named:
        ref = each.ref
        yield object_id(ref)
        yield announced_content(ref)
        yield encoded_ref(ref)
        yield bucket_scope(ref)
        yield each.verdict
        yield entry_id(ref)
        yield encoded(_entry(message, each)) if each.verdict.startswith("refused") else b""
        yield "1" if each.vouched else ""


def _entry(message: Message, each: Named) -> Entry:
    reason = each.verdict.partition(":")[2]
    return Entry(
        entry_id(each.ref), "object", reason, str(each.ref), each.ref, message.id, body=each.body
    )
