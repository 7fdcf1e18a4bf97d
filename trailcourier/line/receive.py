"""From the queue to published work."""

import math
import threading
from collections import Counter
from collections.abc import Sequence

import msgspec

from trailcourier import keys, notifications, observe
from trailcourier.errors import Fault
from trailcourier.ledger.leases import Named
from trailcourier.ledger.quarantine import Entry, entry_id, message_entry_id
from trailcourier.line import Line, queue
from trailcourier.line.failpoint import failpoint
from trailcourier.line.settle import settle
from trailcourier.line.work import Publish, Work, publish_all
from trailcourier.models import Message, ObjectRef
from trailcourier.sqs import BATCH

ROOM_PAUSE = (0.02, 0.25)  # seconds between two looks for room, at first and at most
PATIENCE = 0.5  # seconds for which room for a full receive is waited for


class Arrival(msgspec.Struct, frozen=True):
    """One message received: what it needs, and whether it is more than a known refusal.

    *shape* is its body's; empty for one that was not understood.
    """

    message: str
    shape: str = ""
    works: Sequence[Work] = ()
    finished: bool = False
    new: bool = True


def poll(line: Line, slot: int, publish: Publish, stopping: threading.Event) -> int:
    """Keep receiving for a while, as long as there is room; how many messages came.

    Only one caller per source and *slot* does so at a time; for the others the answer is 0.
    """
    came = 0
    with line.process.holds.polling(line.ledger.flow.poll_lease(slot)) as ours:
        ends = line.clock.monotonic() + line.numbers.poll
        while ours and (room := await_room(line, ends, stopping)):
            line.ledger.traces.note("poll")
            # never a short poll for want of time: it asks few of SQS's servers, again and again
            wait = min(line.numbers.receive_wait, max(1, math.ceil(ends - line.clock.monotonic())))
            messages = queue.receive(line, most=min(BATCH, room), wait=wait)
            if messages is None:
                break
            came += len(messages)
            observe.fact("messages_received", source=line.source, messages=len(messages))
            with queue.given_back(line, messages):
                if stopping.is_set():
                    queue.extend(line, [(m.id, m.receipt, 0) for m in messages])
                    break
                new = take(line, messages, publish)
            line.ledger.flow.heard(something_new=new)
        if ours:
            line.ledger.traces.note("poll")  # also where there was no room
    return came


def await_room(line: Line, ends: float, stopping: threading.Event) -> int:
    """Wait for room for a full receive, or soon for any; how many objects, 0 to receive no more.

    A receive, its chord, settle and delete cost the same for one message as for ten.
    """
    began, (pause, longest) = line.clock.monotonic(), ROOM_PAUSE
    while not stopping.is_set() and (now := line.clock.monotonic()) < ends:
        room = line.ledger.flow.room(line.sinks)
        if not room.why or (room.objects and now - began > PATIENCE):
            return room.objects
        observe.fact("poll_held_up", source=line.source, why=room.why)
        if room.why != "in-flight":
            break
        line.clock.wait(pause, stopping)
        pause = min(pause * 1.5, longest)
    return 0


def take(line: Line, messages: Sequence[Message], publish: Publish) -> bool:
    """Admit what was received, publish what needs work, settle what needs none.

    Answers whether there was anything but messages refused before.
    """
    received, visibility = line.clock.now(), queue.visibility(line)
    arrivals = [admit(line, message, received, visibility) for message in messages]
    shapes = Counter(f"messages:{each.shape}" for each in arrivals if each.shape)
    line.ledger.sums.count(shapes)
    failpoint("after-admit")
    publish_all(publish, [w for each in arrivals for w in each.works], line.numbers.chord)
    failpoint("after-publish")
    settle(line, [each.message for each in arrivals if each.finished])
    return any(each.new for each in arrivals)


def admit(line: Line, message: Message, received: float, visibility: int) -> Arrival:
    """Decode and lease one message, which nobody else is given for *visibility* seconds."""
    try:
        notice = notifications.decode(message.body, most=line.numbers.message_objects)
    except Fault as fault:
        return Arrival(message.id, new=set_aside(line, message, fault))
    observe.fact("message_read", source=line.source, message=message.id, shape=notice.shape,
                 objects=len(notice.objects))  # fmt: skip
    if notice.unread:
        discard(line, message, notice.unread)
        return Arrival(message.id, notice.shape)
    refs = notice.objects
    named = [Named(ref, verdict(line, ref, own=notice.own)) for ref in refs]
    admitted = line.ledger.leases.admit(message, named, received=received, visibility=visibility)
    match admitted.kind:
        case "quarantined":
            observe.fact("message_quarantined_before", source=line.source, message=message.id)
            queue.back_off(line, message.id, message.receipt, message.receive_count)
            return Arrival(message.id, notice.shape, new=False)
        case "held":
            return Arrival(message.id, notice.shape)
        case kind:
            if beside := sum(notice.skipped.values()):
                line.ledger.sums.count({"objects:skipped:non-create": beside})
            for reason, by in (("non-create", beside), ("already-delivered", admitted.known)):
                if by:
                    observe.fact("objects_skipped", source=line.source, message=message.id,
                                 reason=reason, objects=by)  # fmt: skip
            _note(line, message, named)
            works = [Work(line.source, message.id, i, 1, str(refs[i])) for i in admitted.indices]
            return Arrival(message.id, notice.shape, works=works, finished=kind == "settle")


def set_aside(line: Line, message: Message, fault: Fault) -> bool:
    """Enter a message that is not understood into quarantine and leave it; whether it is new."""
    entry = message_entry_id(message.id)
    new = not line.ledger.quarantine.met(entry)
    if new:
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
    return new


def discard(line: Line, message: Message, kind: str) -> None:
    """Delete a message that positively announces no log, by its kind."""
    if queue.commit(line, [(message.id, message.receipt)]):
        line.ledger.sums.count({f"messages:unread:{kind}": 1, "messages:deleted": 1})
        observe.fact("message_discarded", source=line.source, message=message.id, kind=kind)


def verdict(line: Line, ref: ObjectRef, *, own: bool) -> str:
    """The outcome of an object that need not be read, by its bucket and key; else empty."""
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
