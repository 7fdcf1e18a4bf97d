"""Carry a refused object again through the same line, outside any queue."""

import threading

import msgspec

from trailcourier.dispositions import advice
from trailcourier.ledger.admission import Named
from trailcourier.ledger.quarantine import Entry
from trailcourier.line import Line
from trailcourier.line.carry import carry
from trailcourier.line.receive import verdict
from trailcourier.line.settle import settle
from trailcourier.line.work import Work
from trailcourier.models import Message
from trailcourier.printable import printable


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
    judged = verdict(line, entry.ref, own=entry.reason != "unknown-key")
    if judged.startswith("refused"):
        line.ledger.quarantine.put(_refused_anew(entry, judged.partition(":")[2]))
        return _told(line, entry, "refused")
    stand_in = Message(f"retry-{entry.id}", "", "")
    line.ledger.leases.forget([stand_in.id])
    admitted = line.ledger.leases.admit(stand_in, [Named(entry.ref, judged)], visibility=0)
    status = "skipped"
    for index in admitted.indices:
        work = Work(line.source, stand_in.id, index, 1, str(entry.ref))
        status = carry(line, work, stand_in.id, threading.Event()).status
    settle(line, [stand_in.id])
    return _told(line, entry, status)


def _refused_anew(entry: Entry, reason: str) -> Entry:
    return msgspec.structs.replace(entry, reason=reason, detail=str(entry.ref))


def _told(line: Line, entry: Entry, status: str) -> Retried:
    what = printable(entry.ref)
    match status:
        case "delivered":
            line.ledger.quarantine.drop(entry.id)
            return Retried(True, f"Delivered {what}.")
        case "skipped":
            line.ledger.quarantine.drop(entry.id)
            return Retried(True, f"Nothing was left to carry of {what}.")
        case "parked":
            text = f"{what} could not be carried now; the workers go on trying."
        case "pending":
            text = f"{what} is being carried by a worker just now."
        case _:
            now = line.ledger.quarantine.get(entry.id) or entry
            why = f"{now.reason}: {printable(now.detail)}"
            text = f"{what} was refused again, as {why}. {advice(now.reason)}"
    return Retried(False, text)
