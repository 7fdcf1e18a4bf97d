"""Maintenance: do regularly what no other task did.

Extend leases, settle messages, dispatch lost and parked objects again, and leave or release
messages as their buckets fail and recover.
"""

from collections.abc import Callable, Sequence

from trailcourier.errors import Fault
from trailcourier.ledger.redispatch import DueObject
from trailcourier.line import Line, queue
from trailcourier.line.settle import settle
from trailcourier.line.work import Publish, publish_all, works_of
from trailcourier.observability import log

SHORTEST = 60  # seconds; a lease that could be extended by less, near its twelve hours, is given up
FULL_AT_ONCE = 100  # messages that one run leaves to the queue or releases, at most
SETTLE_AFTER = 5  # seconds that a finished message waits for its own chord to settle it


def maintain(line: Line, publish: Publish, idle: Callable[[], bool]) -> int:
    """Run all of maintenance once; return how many forwards were published again.

    Two runs at the same time share the work and double none of it: each script hands a message or
    an object to one caller.  *idle* says whether no forward waits in the broker.
    """
    extend(line)
    leave_full(line)
    settle(line, line.ledger.leases.take_finished(since=SETTLE_AFTER))
    # also if nothing was ready: `status` reports a source whose settles stopped
    line.ledger.traces.note("settle")
    if line.process.stopping.is_set():
        return 0
    published = redispatch(line, publish, idle)
    release_recovered(line)
    sample_depth(line)
    line.ledger.traces.note("maintenance")
    return published


def extend(line: Line) -> None:
    """Extend every lease that has less than half of its visibility left."""
    if line.ledger.mode.is_degraded():
        return
    numbers, entries, given_up = line.numbers, [], {}
    for lease in line.ledger.leases.take_expiring():
        left = int(numbers.lease_life - lease.age - SHORTEST)
        if left < SHORTEST:
            given_up[lease.message] = lease.receipt
        else:
            entries.append((lease.message, lease.receipt, min(numbers.visibility, left)))
    changed = queue.change_visibility(line, entries)
    if changed is not None:
        done = set(changed.done)
        line.ledger.leases.note_extended([entry for entry in entries if entry[0] in done])
        if done:
            log.emit("leases_extended", source=line.source, messages=len(done))
        queue.drop_lost_leases(line, changed, {message: receipt for message, receipt, _ in entries})
    for message in given_up:
        log.emit("lease_given_up", source=line.source, message=message)
    queue.drop_leases(line, given_up, "leases:given-up")


def redispatch(line: Line, publish: Publish, idle: Callable[[], bool]) -> int:
    """Publish lost forwards under a new generation, and parked objects that are due.

    Returns how many forwards were published.
    """
    ledger, published = line.ledger, 0
    in_flight, parked, _ = ledger.room.count_in_hand()
    if in_flight:
        # in degraded mode a released message could not be made visible, so keep trying here
        found = ledger.redispatch.take_lost(idle=idle(), keep=ledger.mode.is_degraded())
        release_failing(line, found.in_vain)
        published += _publish(line, publish, "lost", found.due)
    if parked:
        due = ledger.parked.take_ready(max(0, line.numbers.in_flight - in_flight))
        published += _publish(line, publish, "parked", due)
    return published


def leave_full(line: Line) -> None:
    """Leave messages to the queue if too many objects of their bucket and account are parked."""
    full = line.ledger.left.take_full(FULL_AT_ONCE)
    if full:
        queue.leave(line, full)
        queue.drop_leases(line, {each.message: each.receipt for each in full}, "messages:full")


def release_recovered(line: Line) -> None:
    """Release messages that were left, once their bucket has recovered and there is room."""
    left = line.ledger.left
    if not left.count():
        return
    in_flight, _, _ = line.ledger.room.count_in_hand()
    recovered = left.take_recovered(max(0, min(line.numbers.in_flight - in_flight, FULL_AT_ONCE)))
    changed = queue.change_visibility(line, [(each.message, each.receipt, 0) for each in recovered])
    if changed is None:  # the ledger still lists them, so a later run tries again
        return
    gone = {*changed.done, *changed.lost}
    left.forget([each for each in recovered if each.message in gone])
    if changed.done:
        log.emit("left_messages_released", source=line.source, messages=len(changed.done))


def sample_depth(line: Line) -> None:
    """Now and then, record the queue's depth in the ledger, and drop old failures of breakers."""
    if not line.ledger.depth.take_turn():
        return
    line.ledger.breakers.sweep()
    try:
        found = line.queue.depth()
    except Fault as fault:
        queue.log_failure(line, fault)
        return
    if found is not None:
        line.ledger.depth.note(found.visible, found.limits)


def release_failing(line: Line, messages: tuple[str, ...]) -> None:
    """Release messages whose forwards were lost again and again: another fleet may succeed."""
    verdicts = line.ledger.leases.judge(messages)
    queue.change_visibility(line, [(v.message, v.receipt, 0) for v in verdicts if v.receipt])
    for message in messages:
        log.emit("message_released", source=line.source, message=message)
    queue.drop_leases(line, {v.message: v.receipt for v in verdicts}, "leases:released")


def _publish(line: Line, publish: Publish, why: str, due: Sequence[DueObject]) -> int:
    publish_all(publish, works_of(line.source, due), line.numbers.chord)
    if due:
        log.emit("forwards_again", source=line.source, why=why, objects=len(due))
    return len(due)
