"""From the queue to published work."""

import math
import threading
from collections import Counter
from collections.abc import Sequence

import msgspec
import redis

from trailcourier import keys, notifications, observe
from trailcourier.dispositions import REASONS
from trailcourier.errors import Fault
from trailcourier.ledger.admission import Admitted, Named
from trailcourier.ledger.left import LeftMessage
from trailcourier.ledger.quarantine import Entry, beginning, message_entry_id
from trailcourier.line import Line, queue
from trailcourier.line.failpoint import failpoint
from trailcourier.line.settle import settle
from trailcourier.line.work import Publish, Work, publish_all
from trailcourier.models import Message, ObjectRef
from trailcourier.notifications import Notification
from trailcourier.sqs import BATCH

ROOM_PAUSE = (0.02, 0.25)  # seconds between two looks for room, at first and at most
PATIENCE = 0.5  # seconds for which room for a full receive is waited for
TRY_AGAIN = 10  # seconds after which a message that met a bug comes again, at first
UNKNOWN = "refused:unknown-key"
UNKNOWN_KEYS = {UNKNOWN, "skipped:unknown-key-skipped"}
SCRIPT_ERRORS = ("user_script:", "WRONGTYPE")  # how Redis begins when a script cannot go on


class Arrival(msgspec.Struct, frozen=True):
    """One message received: what it needs, and whether it is more than a known refusal.

    *shape* is its body's; empty for one that was not understood.  *judged* are those of its objects
    that need not be read.
    """

    message: str
    shape: str = ""
    works: Sequence[Work] = ()
    judged: Sequence[Named] = ()
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
            if stopping.is_set():
                queue.hand_back(line, messages)
                break
            new = take(line, messages, publish)
            line.ledger.flow.heard(something_new=new)
        if ours:
            line.ledger.traces.note("poll")  # also where there was no room
    return came


def await_room(line: Line, ends: float, stopping: threading.Event) -> int:
    """Wait until a full receive fits, and return how many objects may be taken.

    After half a second any room will do.  0 means stop receiving.  Waiting pays: a receive, its
    chord, settle and delete cost the same for one message as for ten.
    """
    began, (pause, longest) = line.clock.monotonic(), ROOM_PAUSE
    while not stopping.is_set() and (now := line.clock.monotonic()) < ends:
        room = line.ledger.flow.room(line.sinks, line.process.fitness.host)
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

    Answers whether there was anything but messages refused before.  Whatever goes wrong with what
    is admitted, tend finds it in the ledger.
    """
    arrivals: list[Arrival] = []
    with queue.given_back(line, messages) as accounted:
        visibility = queue.visibility(line)
        for message in messages:
            arrivals.append(admit_or_refuse(line, message, visibility))
            accounted.append(message)
        _count(line, arrivals)
        failpoint("after-admit")
        publish_all(publish, [w for each in arrivals for w in each.works], line.numbers.chord)
        failpoint("after-publish")
        settle(line, [each.message for each in arrivals if each.finished])
    return any(each.new for each in arrivals)


def admit_or_refuse(line: Line, message: Message, visibility: int) -> Arrival:
    """Admit one message; a bug that only it brings out is no reason to keep others waiting."""
    try:
        return admit(line, message, visibility)
    except Exception as error:
        if isinstance(error, redis.RedisError) and not _about_one(error):
            raise
        return failed(line, message, error)


def admit(line: Line, message: Message, visibility: int) -> Arrival:
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
    named, beside = named_objects(line, message, notice), sum(notice.skipped.values())
    admitted = line.ledger.leases.admit(
        message, named, visibility=visibility, beside=beside,
        topic=notifications.topic(message.body),
    )  # fmt: skip
    match admitted.kind:
        case "quarantined" | "held" | "finished" | "full":
            return _not_taken(line, message, notice.shape, admitted)
        case kind:
            judged = [named[at] for at in admitted.judged]
            _say_unread(line, message, judged, admitted, beside)
            at = admitted.indices
            works = [Work(line.source, message.id, i, 1, str(named[i].ref)) for i in at]
            return Arrival(message.id, notice.shape, works, judged, finished=kind == "settle")


def _not_taken(line: Line, message: Message, shape: str, admitted: Admitted) -> Arrival:
    """Leave a message to the queue, or to its lease, unread."""
    if admitted.kind == "quarantined":
        queue.back_off(line, message.id, message.receipt, message.receive_count)
        observe.fact("message_quarantined_before", source=line.source, message=message.id)
        return Arrival(message.id, shape, new=False)
    if admitted.kind == "full":
        full = LeftMessage(message.id, message.receipt, message.receive_count, admitted.bucket)
        queue.leave(line, [full])
        return Arrival(message.id, shape)
    observe.fact("message_held", source=line.source, message=message.id)
    return Arrival(message.id, shape, finished=admitted.kind == "finished")


def set_aside(line: Line, message: Message, fault: Fault) -> bool:
    """Enter a message that is not understood into quarantine and leave it; whether it is new."""
    became, _ = line.ledger.quarantine.set_aside(_entry(message, fault), message)
    if became != "held":
        queue.back_off(line, message.id, message.receipt, message.receive_count)
    _say_refused(line, message, fault, became)
    return became != "before"


def failed(line: Line, message: Message, error: Exception) -> Arrival:
    """Give back a message that a bug keeps from being admitted; the fifth time, quarantine it.

    Earlier where the queue's redrive policy takes it earlier.
    """
    fault, most = Fault("internal", repr(error)), queue.most_receives(line) or 0
    tries = 1 if 0 < most <= message.receive_count else REASONS["internal"].tries
    entry = _entry(message, fault)
    became, times = line.ledger.quarantine.set_aside(entry, message, tries=tries)
    if became == "failed":
        queue.back_off(line, message.id, message.receipt, times, first=TRY_AGAIN)
    elif became != "held":
        queue.back_off(line, message.id, message.receipt, message.receive_count)
    if became != "before":
        observe.fact("message_failed", source=line.source, message=message.id, error=repr(error),
                     tries=times, became=became, exc_info=error)  # fmt: skip
    _say_refused(line, message, fault, became)
    return Arrival(message.id, new=became != "before")


def discard(line: Line, message: Message, kind: str) -> None:
    """Delete a message that positively announces no log, by its kind."""
    if queue.commit(line, [(message.id, message.receipt)], leased=False):
        line.ledger.sums.count({"messages:received": 1, f"messages:unread:{kind}": 1})
        observe.fact("message_discarded", source=line.source, message=message.id, kind=kind)
    else:
        line.ledger.sums.count({"messages:received": 1, "messages:not-deleted": 1})
        observe.fact("message_not_discarded", source=line.source, message=message.id, kind=kind)


def named_objects(line: Line, message: Message, notice: Notification) -> list[Named]:
    """The objects of a message, each with its outcome where it need not be read."""
    named = []
    for ref in notice.objects:
        judged = verdict(line, ref, own=notice.own)
        vouched = notice.own and not judged and verdict(line, ref, own=False) == UNKNOWN
        body = beginning(message.body) if judged.startswith("refused") else ""
        named.append(Named(ref, judged, body, vouched))
    return named


def verdict(line: Line, ref: ObjectRef, *, own: bool) -> str:
    """The outcome of an object that need not be read, by its bucket and key; else empty."""
    if line.buckets and not keys.allowed(ref.bucket, line.buckets):
        return "refused:bucket-not-allowed"
    status, reason = keys.judge(ref.key, own_notice=own, unknown=line.unknown_key, globs=line.keys)
    return "" if status == "read" else f"{status}:{reason}"


def _about_one(error: redis.RedisError) -> bool:
    """Whether a script failed at what it was asked, and not for want of a server that is well."""
    return isinstance(error, redis.ResponseError) and str(error).startswith(SCRIPT_ERRORS)


def _entry(message: Message, fault: Fault) -> Entry:
    topic = notifications.topic(message.body)
    confirm = notifications.subscription_confirm_command(message.body) or ""
    id_ = message_entry_id(fault.reason, message.sender, topic)
    return Entry(
        id_, "message", fault.reason, fault.detail, message=message.id, confirm=confirm,
        sender=message.sender, topic=topic, body=beginning(message.body),
    )  # fmt: skip


def _say_refused(line: Line, message: Message, fault: Fault, became: str) -> None:
    if became == "new":
        observe.fact("message_not_understood", source=line.source, message=message.id,
                     reason=fault.reason, detail=fault.detail)  # fmt: skip
    elif became == "before":
        observe.fact("message_quarantined_before", source=line.source, message=message.id)
    elif became == "held":
        observe.fact("message_held", source=line.source, message=message.id)


def _say_unread(
    line: Line, message: Message, judged: Sequence[Named], admitted: Admitted, beside: int
) -> None:
    """Say what need not be read.  The message has its lease now, so nothing here may fail."""
    for reason, by in (("non-create", beside), ("already-delivered", admitted.known)):
        if by:
            observe.fact("objects_skipped", source=line.source, message=message.id, reason=reason,
                         objects=by)  # fmt: skip
    if admitted.again:
        observe.fact("objects_refused_before", source=line.source, message=message.id,
                     objects=len(admitted.again))  # fmt: skip
    for each in judged:
        status, _, reason = each.verdict.partition(":")
        fact = "object_refused" if status == "refused" else "objects_skipped"
        observe.fact(fact, source=line.source, object=str(each.ref), reason=reason)


def _count(line: Line, arrivals: Sequence[Arrival]) -> None:
    """Count shapes and unknown folders in the ledger, and watch for skips of one reason only."""
    sums = line.ledger.sums
    sums.count(Counter(f"shapes:{each.shape}" for each in arrivals if each.shape))
    judged = [named for each in arrivals for named in each.judged]
    unknown = (each.ref.key for each in judged if each.verdict in UNKNOWN_KEYS)
    sums.in_folders(Counter(map(keys.folder, unknown)))
    for each in judged:
        status, _, reason = each.verdict.partition(":")
        if status != "refused" and (row := sums.skipped(reason, 1)) % 100 == 0:
            observe.fact("skips_in_a_row", source=line.source, reason=reason, times=row)
