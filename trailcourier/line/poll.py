"""Poll: receive messages, admit them to the ledger, and publish a forward for each object."""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec
import redis

from trailcourier import keys, notifications
from trailcourier.aws.sqs import BATCH
from trailcourier.errors import Fault
from trailcourier.ledger.admission import Admitted, NamedObject
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.ledger.quarantine import QuarantineEntry, beginning, message_entry_id
from trailcourier.line import Line, queue
from trailcourier.line.failpoint import failpoint
from trailcourier.line.settle import settle
from trailcourier.line.work import Publish, Work, publish_all
from trailcourier.models import Message, ObjectRef, Outcome
from trailcourier.notifications import Notification
from trailcourier.observability import log
from trailcourier.reasons import REASONS

ROOM_PAUSE = (0.02, 0.25)  # seconds between two checks for room, at first and at most
PATIENCE = 0.5  # seconds to wait for the room of a full receive; then any room is enough
FIRST_RETRY = 10  # seconds; how long a message that met a bug stays hidden the first time
UNKNOWN = Outcome("refused", "unknown-key")
UNKNOWN_KEYS = {UNKNOWN, Outcome("skipped", "unknown-key-skipped")}
# how the reply of Redis begins when a script itself fails
SCRIPT_ERRORS = ("user_script:", "WRONGTYPE")


class Arrival(msgspec.Struct, frozen=True):
    """One received message, and the forwards that it needs.

    *shape* is the notification's format with its envelopes, empty if no format matched.  *judged*
    are the objects whose bucket and key alone decide their outcome.  *finished* says that the
    message has a lease and no object left to forward, so that it can be settled.  *new* is False
    for a message that was refused before and comes again.
    """

    message: str
    shape: str = ""
    works: Sequence[Work] = ()
    judged: Sequence[NamedObject] = ()
    finished: bool = False
    new: bool = True


def poll(line: Line, slot: int, publish: Publish) -> int:
    """Receive messages while there is room, for ``numbers.poll`` seconds; return how many came.

    One caller at a time holds the poll lease of a source and *slot*; the others return 0.
    """
    received = 0
    with line.process.live_claims.polling(line.ledger.poll_lease(slot)) as ours:
        ends = line.clock.monotonic() + line.numbers.poll
        while ours and (room := await_room(line, ends)):
            line.ledger.traces.note("poll")
            # at least one second: a short poll asks few of SQS's servers and finds less
            wait = min(line.numbers.receive_wait, max(1, math.ceil(ends - line.clock.monotonic())))
            messages = queue.receive(line, most=min(BATCH, room), wait=wait)
            if messages is None:
                break
            received += len(messages)
            if line.process.stopping.is_set():
                queue.release_late(line, messages)
                break
            anything_new = admit_all(line, messages, publish)
            line.ledger.receives.note(something_new=anything_new)
        if ours:
            line.ledger.traces.note("poll")  # also where there was no room
    return received


def await_room(line: Line, ends: float) -> int:
    """Wait until a full receive fits.  Returns how many objects may be taken; 0 ends the poll.

    Waiting pays, because a receive, its chord, its settle and its delete cost the same for one
    message as for ten.
    """
    began, (pause, longest) = line.clock.monotonic(), ROOM_PAUSE
    stopping = line.process.stopping
    while not stopping.is_set() and (now := line.clock.monotonic()) < ends:
        room = line.ledger.room.measure(line.sinks, line.process.fitness.host)
        if not room.why or (room.objects and now - began > PATIENCE):
            return room.objects
        log.emit("poll_held_up", source=line.source, why=room.why)
        if room.why != "in-flight":
            break
        line.clock.wait(pause, stopping)
        pause = min(pause * 1.5, longest)
    return 0


def admit_all(line: Line, messages: Sequence[Message], publish: Publish) -> bool:
    """Admit *messages*, publish the forwards they need, and settle those that need none.

    Returns whether any of them is new, which means: was not refused before.  If this fails
    half-way, maintenance finds in the ledger what was admitted.
    """
    arrivals: list[Arrival] = []
    with queue.release_on_error(line, messages) as accounted:
        visibility = queue.visibility(line)
        for message in messages:
            arrivals.append(admit_or_refuse(line, message, visibility))
            accounted.append(message)
        _count_arrivals(line, arrivals)
        failpoint("after-admit")
        publish_all(publish, [work for each in arrivals for work in each.works], line.numbers.chord)
        failpoint("after-publish")
        settle(line, [each.message for each in arrivals if each.finished])
    return any(each.new for each in arrivals)


def admit_or_refuse(line: Line, message: Message, visibility: int) -> Arrival:
    """Admit one message; if that raises for this message alone, release or quarantine it."""
    try:
        return admit(line, message, visibility)
    except Exception as error:
        if isinstance(error, redis.RedisError) and not _is_script_error(error):
            raise
        return release_or_quarantine(line, message, error)


def admit(line: Line, message: Message, visibility: int) -> Arrival:
    """Decode one message and lease it; SQS hides it for *visibility* seconds."""
    try:
        notification = notifications.decode(message.body, max_objects=line.numbers.message_objects)
    except Fault as fault:
        return Arrival(message.id, new=quarantine(line, message, fault))
    log.emit("message_read", source=line.source, message=message.id, shape=notification.shape,
                 objects=len(notification.objects))  # fmt: skip
    if notification.no_log:
        delete_unread(line, message, notification.no_log)
        return Arrival(message.id, notification.shape)
    objects = judge_objects(line, message, notification)
    not_created = sum(notification.skipped.values())
    admitted = line.ledger.leases.admit(
        message, objects, visibility=visibility, non_create=not_created,
        topic=notifications.topic_arn(message.body),
    )  # fmt: skip
    match admitted.kind:
        case "quarantined" | "held" | "finished" | "full":
            return _without_work(line, message, notification.shape, admitted)
        case kind:
            judged = [objects[index] for index in admitted.judged]
            _log_unread(line, message, judged, admitted, not_created)
            works = [
                Work(line.source, message.id, index, 1, str(objects[index].ref))
                for index in admitted.indices
            ]
            return Arrival(message.id, notification.shape, works, judged, finished=kind == "settle")


def _without_work(line: Line, message: Message, shape: str, admitted: Admitted) -> Arrival:
    """Return the arrival of a message that needs no work now; hide it unless it is leased.

    It is in quarantine, or leased already, or its bucket has too many parked objects.
    """
    if admitted.kind == "quarantined":
        queue.back_off(line, message.id, message.receipt, message.receive_count)
        log.emit("message_quarantined_before", source=line.source, message=message.id)
        return Arrival(message.id, shape, new=False)
    if admitted.kind == "full":
        full = LeftMessage(message.id, message.receipt, message.receive_count, admitted.bucket)
        queue.leave(line, [full])
        return Arrival(message.id, shape)
    log.emit("message_held", source=line.source, message=message.id)
    return Arrival(message.id, shape, finished=admitted.kind == "finished")


def quarantine(line: Line, message: Message, fault: Fault) -> bool:
    """Quarantine a message that no format matches, and hide it; return whether it is a new one."""
    became, _ = line.ledger.quarantine.set_aside(_entry(message, fault), message)
    if became != "held":
        queue.back_off(line, message.id, message.receipt, message.receive_count)
    _log_quarantined(line, message, fault, became)
    return became != "before"


def release_or_quarantine(line: Line, message: Message, error: Exception) -> Arrival:
    """Release a message whose admission raised *error*; after the last try, quarantine it.

    The tries are those of reason ``internal``, or fewer: the receives that the queue's redrive
    policy allows.
    """
    fault, most = Fault("internal", repr(error)), queue.most_receives(line) or 0
    tries = 1 if 0 < most <= message.receive_count else REASONS["internal"].tries
    entry = _entry(message, fault)
    became, times = line.ledger.quarantine.set_aside(entry, message, tries=tries)
    if became == "failed":
        queue.back_off(line, message.id, message.receipt, times, first=FIRST_RETRY)
    elif became != "held":
        queue.back_off(line, message.id, message.receipt, message.receive_count)
    if became != "before":
        log.emit("message_failed", source=line.source, message=message.id, error=repr(error),
                     tries=times, became=became, exc_info=error)  # fmt: skip
    _log_quarantined(line, message, fault, became)
    return Arrival(message.id, new=became != "before")


def delete_unread(line: Line, message: Message, kind: str) -> None:
    """Delete a message of a *kind* that is known to announce no log file, and count it."""
    if queue.delete_messages(line, [(message.id, message.receipt)], leased=False):
        line.ledger.sums.count({"messages:received": 1, f"messages:unread:{kind}": 1})
        log.emit("message_discarded", source=line.source, message=message.id, kind=kind)
    else:
        line.ledger.sums.count({"messages:received": 1, "messages:not-deleted": 1})
        log.emit("message_not_discarded", source=line.source, message=message.id, kind=kind)


def judge_objects(line: Line, message: Message, notification: Notification) -> list[NamedObject]:
    """Return the objects of a message, with an outcome where bucket and key alone decide it."""
    from_cloudtrail, judge, objects = notification.from_cloudtrail, line.rules.judge, []
    for ref in notification.objects:
        outcome = judge(ref, accept_any_form=from_cloudtrail)
        # its key would be refused if another sender had named it
        any_form = from_cloudtrail and not outcome and judge(ref, accept_any_form=False) == UNKNOWN
        body = beginning(message.body) if outcome and outcome.status == "refused" else ""
        objects.append(NamedObject(ref, outcome, body, any_form))
    return objects


def _is_script_error(error: redis.RedisError) -> bool:
    """Whether a script failed on this message's data, as opposed to a broker that is down."""
    return isinstance(error, redis.ResponseError) and str(error).startswith(SCRIPT_ERRORS)


def _entry(message: Message, fault: Fault) -> QuarantineEntry:
    topic = notifications.topic_arn(message.body)
    confirm = notifications.subscription_confirm_command(message.body) or ""
    id_ = message_entry_id(fault.reason, message.sender, topic)
    return QuarantineEntry(
        id_, "message", fault.reason, fault.detail, message=message.id, confirm=confirm,
        sender=message.sender, topic=topic, body=beginning(message.body),
    )  # fmt: skip


def _log_quarantined(line: Line, message: Message, fault: Fault, became: str) -> None:
    if became == "new":
        log.emit("message_not_understood", source=line.source, message=message.id,
                     reason=fault.reason, detail=fault.detail)  # fmt: skip
    elif became == "before":
        log.emit("message_quarantined_before", source=line.source, message=message.id)
    elif became == "held":
        log.emit("message_held", source=line.source, message=message.id)


def _log_unread(
    line: Line, message: Message, judged: Sequence[NamedObject], admitted: Admitted,
    not_created: int,
) -> None:  # fmt: skip
    """Log the objects that need no read.  The message is leased by now, so this must not fail."""
    delivered = admitted.delivered_before
    for reason, by in (("non-create", not_created), ("already-delivered", delivered)):
        if by:
            log.emit("objects_skipped", source=line.source, message=message.id, reason=reason,
                         objects=by)  # fmt: skip
    if admitted.refused_before:
        log.emit("objects_refused_before", source=line.source, message=message.id,
                     objects=len(admitted.refused_before))  # fmt: skip
    for ref, outcome in _unread(judged):
        event = "object_refused" if outcome.status == "refused" else "objects_skipped"
        log.emit(event, source=line.source, object=str(ref), reason=outcome.reason)


def _count_arrivals(line: Line, arrivals: Sequence[Arrival]) -> None:
    """Count the shapes of messages and the folders of unknown keys, and log skips in a row.

    If one reason skips object after object, the queue may be subscribed to something else.
    """
    sums = line.ledger.sums
    sums.count(Counter(f"shapes:{each.shape}" for each in arrivals if each.shape))
    judged = [object_ for each in arrivals for object_ in each.judged]
    unknown = (ref.key for ref, outcome in _unread(judged) if outcome in UNKNOWN_KEYS)
    sums.count_folders(Counter(map(keys.folder_label, unknown)))
    for _, outcome in _unread(judged):
        if outcome.status != "refused" and (row := sums.count_skips(outcome.reason, 1)) % 100 == 0:
            log.emit("skips_in_a_row", source=line.source, reason=outcome.reason, times=row)


def _unread(judged: Sequence[NamedObject]) -> list[tuple[ObjectRef, Outcome]]:
    """Return the objects that need no read, each with its outcome."""
    return [(each.ref, each.outcome) for each in judged if each.outcome]
