"""Forward a refused object again through the same line, outside any queue."""

import msgspec

from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.line import Line
from trailcourier.line.forward import forward_object
from trailcourier.line.settle import settle
from trailcourier.line.work import Work
from trailcourier.models import Message
from trailcourier.reasons import advice
from trailcourier.text import printable


class RetryResult(msgspec.Struct, frozen=True):
    """Whether a retry delivered the object, and the sentence for the operator."""

    done: bool
    text: str


def retry(line: Line, entry: QuarantineEntry) -> RetryResult:
    """Forward the object of *entry* now, under a stand-in for its message in the queue.

    The quarantine entry is dropped once every record was accepted.  When SQS redelivers the
    queue's message, the ledger knows the object as delivered, and the message is deleted.
    """
    if entry.ref is None:
        return RetryResult(
            False,
            "This entry is a message that was not understood, so it names no object to retry. "
            "`trailcourier quarantine drop` removes the entry; the message is decoded again when "
            "SQS redelivers it.",
        )
    judged = line.rules.judge(entry.ref, accept_any_form=entry.reason != "unknown-key")
    if judged and judged.status == "refused":
        line.ledger.quarantine.put(_with_reason(entry, judged.reason))
        return _result(line, entry, "refused")
    stand_in = Message(f"retry-{entry.id}", "", "")
    line.ledger.leases.forget([stand_in.id])
    admitted = line.ledger.leases.admit(stand_in, [NamedObject(entry.ref, judged)], visibility=0)
    status = "skipped"
    for index in admitted.indices:
        work = Work(line.source, stand_in.id, index, 1, str(entry.ref))
        status = forward_object(line, work, stand_in.id).status
    settle(line, [stand_in.id])
    return _result(line, entry, status)


def _with_reason(entry: QuarantineEntry, reason: str) -> QuarantineEntry:
    return msgspec.structs.replace(entry, reason=reason, detail=str(entry.ref))


def _result(line: Line, entry: QuarantineEntry, status: str) -> RetryResult:
    what = printable(entry.ref)
    match status:
        case "delivered":
            line.ledger.quarantine.drop(entry.id)
            return RetryResult(True, f"Delivered {what}.")
        case "skipped":
            line.ledger.quarantine.drop(entry.id)
            return RetryResult(True, f"Nothing of {what} was left to deliver.")
        case "parked":
            text = (
                f"{what} could not be delivered now; the workers retry it. `trailcourier status` "
                "says what it waits for."
            )
        case "pending":
            text = (
                f"A worker is forwarding {what} right now; see afterwards whether `trailcourier "
                "quarantine list` still has it."
            )
        case _:
            now = line.ledger.quarantine.get(entry.id) or entry
            why = f"{now.reason}: {printable(now.detail)}"
            text = f"{what} was refused again: {why}. {advice(now.reason)}"
    return RetryResult(False, text)
