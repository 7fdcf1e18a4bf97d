"""From the queue to published work."""

import threading
import time
from collections.abc import Sequence

from trailcourier import keys, notifications, observe
from trailcourier.errors import Fault
from trailcourier.ledger.leases import Named
from trailcourier.ledger.quarantine import Entry, entry_id, message_entry_id
from trailcourier.line import Line, queue
from trailcourier.line.failpoint import failpoint
from trailcourier.line.settle import settle
from trailcourier.line.work import Publish, Work, publish_all
from trailcourier.models import Message, ObjectRef

ROOM_PAUSE = 0.05  # seconds between two looks for room; a look is one call to the ledger


def poll(line: Line, slot: int, publish: Publish, stopping: threading.Event) -> int:
    """Keep receiving for a while, as long as there is room; how many messages came.

    Only one caller per source and *slot* does so at a time; for the others the answer is 0.
    """
    came = 0
    with line.ledger.flow.polling(slot) as ours:
        ends = time.monotonic() + line.numbers.poll
        while ours and not stopping.is_set() and (left := ends - time.monotonic()) > 0:
            room = line.ledger.flow.room(line.sinks)
            if room.objects <= 0:
                observe.fact("poll_held_up", source=line.source, why=room.why)
                if room.why != "in-flight":
                    break
                stopping.wait(ROOM_PAUSE)
                continue
            wait = min(line.numbers.receive_wait, int(left))
            messages = queue.receive(line, most=min(10, room.objects), wait=wait)
            if messages is None:
                break
            came += len(messages)
            if stopping.is_set():
                queue.extend(line, [(m.id, m.receipt, 0) for m in messages])
            else:
                take(line, messages, publish)
    return came


def take(line: Line, messages: Sequence[Message], publish: Publish) -> None:
    """Admit what was received, publish what needs work, settle what needs none."""
    received = time.time()
    works: list[Work] = []
    finished: list[str] = []
    for message in messages:
        admitted = admit(line, message, received)
        works += admitted
        if not admitted:
            finished.append(message.id)
    failpoint("after-admit")
    publish_all(publish, works, line.numbers.chord)
    failpoint("after-publish")
    settle(line, finished)


def admit(line: Line, message: Message, received: float) -> list[Work]:
    """Decode and lease one message; its objects that need work."""
    try:
        notice = notifications.decode(message.body, most=line.numbers.message_objects)
    except Fault as fault:
        set_aside(line, message, fault)
        return []
    line.ledger.sums.count({f"messages:{notice.shape}": 1})
    if notice.unread:
        discard(line, message, notice.unread)
        return []
    refs = notice.objects
    named = [Named(ref, _verdict(line, ref, notice.own)) for ref in refs]
    visibility = (
        line.numbers.visibility_degraded if line.ledger.flow.degraded() else line.numbers.visibility
    )
    admitted = line.ledger.leases.admit(message, named, received=received, visibility=visibility)
    if admitted.kind == "quarantined":
        observe.fact("message_quarantined_before", source=line.source, message=message.id)
        queue.back_off(line, message.id, message.receipt, message.receive_count)
    elif admitted.kind != "held":
        _note(line, message, named)
    return [Work(line.source, message.id, i, 1, str(refs[i])) for i in admitted.indices]


def set_aside(line: Line, message: Message, fault: Fault) -> None:
    """Enter a message that is not understood into quarantine, unread again, and leave it."""
    entry = message_entry_id(message.id)
    if not line.ledger.quarantine.has(entry):
        confirm = notifications.subscription_confirm_command(message.body) or ""
        line.ledger.quarantine.put(
            Entry(entry, "message", fault.reason, fault.detail, None, message.id, confirm)
        )
        line.ledger.sums.count({f"messages:refused:{fault.reason}": 1})
        observe.fact(
            "message_not_understood",
            source=line.source,
            message=message.id,
            reason=fault.reason,
            detail=fault.detail,
        )
    queue.back_off(line, message.id, message.receipt, message.receive_count)


def discard(line: Line, message: Message, kind: str) -> None:
    """Delete a message that positively announces no log, by its kind."""
    if queue.commit(line, [(message.id, message.receipt)]):
        line.ledger.sums.count({f"messages:unread:{kind}": 1, "messages:deleted": 1})
        observe.fact("message_discarded", source=line.source, message=message.id, kind=kind)


def _verdict(line: Line, ref: ObjectRef, own: bool) -> str:
    if line.buckets and not keys.allowed(ref.bucket, line.buckets):
        return "refused:bucket-not-allowed"
    status, reason = keys.judge(ref.key, own_notice=own, unknown=line.unknown_key, globs=line.keys)
    return "" if status == "read" else f"{status}:{reason}"


def _note(line: Line, message: Message, named: Sequence[Named]) -> None:
    """Quarantine what is refused unread, and watch for skips of one reason only."""
    for each in named:
        status, _, reason = each.verdict.partition(":")
        if status == "refused":
            line.ledger.quarantine.put(
                Entry(entry_id(each.ref), "object", reason, str(each.ref), each.ref, message.id)
            )
            observe.fact("object_refused", source=line.source, object=str(each.ref), reason=reason)
        elif status == "skipped":
            observe.fact("objects_skipped", source=line.source, object=str(each.ref), reason=reason)
            row = line.ledger.sums.skipped(reason, 1)
            if row % 100 == 0:
                observe.fact("skips_in_a_row", source=line.source, reason=reason, times=row)
