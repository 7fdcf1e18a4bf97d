"""What the fast path left open: leases near their end, forwards lost, parked objects due."""

import threading
from collections.abc import Callable, Sequence

from trailcourier import observe
from trailcourier.errors import Fault
from trailcourier.ledger.parked import Due
from trailcourier.line import Line, queue
from trailcourier.line.settle import settle
from trailcourier.line.work import Publish, publish_all, works_of

SHORTEST = 60  # seconds; below this a lease at the end of its twelve hours is let go
FULL_AT_ONCE = 100  # messages left, or handed back, in one round
SETTLE_AFTER = 5  # seconds a finished message waits for its own chord to settle it


def tend(line: Line, publish: Publish, idle: Callable[[], bool], stopping: threading.Event) -> int:
    """Do all of it once; two at the same time share the work, they never double it.

    *idle* says whether no forward waits in the broker; how many forwards were published again.
    """
    extend(line)
    leave_full(line)
    settle(line, line.ledger.leases.complete(since=SETTLE_AFTER))
    line.ledger.traces.note("settle")  # also where nothing was ready
    if stopping.is_set():
        return 0
    again = dispatch_again(line, publish, idle)
    hand_back(line)
    sample(line)
    line.ledger.traces.note("tend")
    return again


def extend(line: Line) -> None:
    """Extend every lease that has less than half of its visibility left."""
    if line.ledger.flow.degraded():
        return
    numbers, entries, over = line.numbers, [], []
    for lease in line.ledger.leases.expiring():
        left = int(numbers.lease_life - lease.age - SHORTEST)
        if left < SHORTEST:
            over.append(lease.message)
        else:
            entries.append((lease.message, lease.receipt, min(numbers.visibility, left)))
    changed = queue.extend(line, entries)
    if changed is not None:
        done = set(changed.done)
        line.ledger.leases.extended([entry for entry in entries if entry[0] in done])
        if done:
            observe.fact("leases_extended", source=line.source, messages=len(done))
        queue.lost(line, changed)
    for message in over:
        observe.fact("lease_let_go", source=line.source, message=message)
    queue.release(line, over, "leases:let-go")


def dispatch_again(line: Line, publish: Publish, idle: Callable[[], bool]) -> int:
    """Publish lost forwards under a new generation, and parked objects that are due; how many."""
    flow, again = line.ledger.flow, 0
    flying, parked, _ = flow.in_hand()
    if flying:
        found = flow.lost(idle=idle(), keep=flow.degraded())
        give_back(line, found.in_vain)
        again += _publish(line, publish, "lost", found.due)
    if parked:
        due = line.ledger.parked.ready(max(0, line.numbers.in_flight - flying))
        again += _publish(line, publish, "parked", due)
    return again


def leave_full(line: Line) -> None:
    """Let go of messages of a bucket and account that has more parked objects than are held."""
    full = line.ledger.left.full(FULL_AT_ONCE)
    if full:
        queue.leave(line, full)
        queue.release(line, [each.message for each in full], "messages:full")


def hand_back(line: Line) -> None:
    """Hand back, while there is room, messages that were left, once their bucket has recovered."""
    left = line.ledger.left
    if not left.size():
        return
    flying, _, _ = line.ledger.flow.in_hand()
    recovered = left.recovered(max(0, min(line.numbers.in_flight - flying, FULL_AT_ONCE)))
    changed = queue.extend(line, [(each.message, each.receipt, 0) for each in recovered])
    if changed is None:  # they stay known, and are handed back in another round
        return
    over = {*changed.done, *changed.lost}
    left.forget([each for each in recovered if each.message in over])
    if changed.done:
        observe.fact("messages_handed_back", source=line.source, messages=len(changed.done))


def sample(line: Line) -> None:
    """Now and then, note how much waits in the queue, and forget failures of long ago."""
    if not line.ledger.depth.due():
        return
    line.ledger.breakers.sweep()
    try:
        found = line.queue.depth()
    except Fault as fault:
        queue.failed(line, fault)
        return
    if found is not None:
        line.ledger.depth.put(found.visible, found.limits)


def give_back(line: Line, messages: tuple[str, ...]) -> None:
    """Hand back messages whose work was lost again and again: another fleet may do better."""
    verdicts = line.ledger.leases.verdicts(messages)
    queue.extend(line, [(v.message, v.receipt, 0) for v in verdicts if v.receipt])
    for message in messages:
        observe.fact("message_given_back", source=line.source, message=message)
    queue.release(line, messages, "leases:given-back")


def _publish(line: Line, publish: Publish, why: str, due: Sequence[Due]) -> int:
    publish_all(publish, works_of(line.source, due), line.numbers.chord)
    if due:
        observe.fact("forwards_again", source=line.source, why=why, objects=len(due))
    return len(due)
