"""Carry a refused object again through the same line, outside any queue."""

import threading

import msgspec

from trailcourier.dispositions import REASONS
from trailcourier.ledger.leases import Named
from trailcourier.ledger.quarantine import Entry
from trailcourier.line import Line
from trailcourier.line.carry import carry
from trailcourier.line.receive import verdict
from trailcourier.line.settle import settle
from trailcourier.line.work import Work
from trailcourier.models import Message


class Retried(msgspec.Struct, frozen=True):
    """What a retry came to, for a person."""

    done: bool
    text: str


def retry(line: Line, entry: Entry) -> Retried:
    """Carry the object of *entry* now; a message of its own stands in for the one in the queue.

    Its quarantine entry goes once every record was accepted.  When the queue's message comes
    again, the object is known as delivered, and the message is deleted.
    """
    if entry.ref is None:
        return Retried(
            False,
            "This entry is a message that was not understood, so there is no object to carry. "
            "`trailcourier quarantine drop` has the message read again when it comes.",
        )
    stand_in = Message(f"retry-{entry.id}", "", "")
    line.ledger.leases.forget([stand_in.id])
    named = [Named(entry.ref, verdict(line, entry.ref, own=False))]
    admitted = line.ledger.leases.admit(stand_in, named, received=0, visibility=0)
    status = "refused" if named[0].verdict.startswith("refused") else "delivered"
    for index in admitted.indices:
        work = Work(line.source, stand_in.id, index, 1, str(entry.ref))
        status = carry(line, work, stand_in.id, threading.Event()).status
    settle(line, [stand_in.id])
    return _told(line, entry, status)


def _told(line: Line, entry: Entry, status: str) -> Retried:
    match status:
        case "delivered" | "skipped":
            line.ledger.quarantine.drop(entry.id)
            return Retried(True, f"Delivered {entry.ref}.")
        case "parked":
            text = f"{entry.ref} could not be carried now; the workers go on trying."
        case "pending":
            text = f"{entry.ref} is being carried by a worker just now."
        case _:
            now = line.ledger.quarantine.get(entry.id) or entry
            advice = REASONS[now.reason].advice
            text = f"{entry.ref} was refused again ({now.reason}): {now.detail}. {advice}"
    return Retried(False, text)
