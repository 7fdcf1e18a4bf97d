"""What lies in a source's dead-letter queue, and why; and moving it back to the source's queue."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trailcourier import notifications
from trailcourier.deadletters import HELD, DeadLetter, DeadLetters, MoveTask, by_bytes
from trailcourier.errors import Fault
from trailcourier.ledger.quarantine import Entry
from trailcourier.sqs import BATCH

LOOK = 1.0  # seconds between two looks at a move task
IDLE = 3  # receives in a row without anything new, before what is left is taken for known
APPEARS = 30.0  # seconds within which SQS shows a task that it started, and ends one it cancels
# reasons that have nothing to do with what was asked: another call meets the same
EVERYWHERE = frozenset({"network", "not-aws", "credentials", "instance-metadata", "clock-skew"})

Watched = Callable[[int, int | None], None]
"""Told how many messages were moved so far, and of how many, where that is known."""


class Lying(msgspec.Struct, frozen=True):
    """One message of a dead-letter queue; times are milliseconds since 1970."""

    id: Annotated[str, Meta(description="the message's id")]
    sent: Annotated[int, Meta(description="when it was first sent, in milliseconds since 1970")]
    receives: Annotated[int, Meta(description="how often it was received, this time included")]
    what: Annotated[
        Sequence[str], Meta(description="the objects it announces; empty if it is not understood")
    ]
    reason: Annotated[
        str, Meta(description="why it was refused, by quarantine or its own form; empty if unknown")
    ] = ""
    detail: Annotated[str, Meta(description="what quarantine knows more of it")] = ""
    ours: Annotated[bool, Meta(description="whether it comes from the source's queue")] = True


class Listed(msgspec.Struct, frozen=True):
    """The dead-letter queue of one source."""

    source: Annotated[str, Meta(description="its name")]
    queue: Annotated[str, Meta(description="the dead-letter queue's URL; empty if there is none")]
    waiting: Annotated[
        int | None, Meta(description="messages that lie there; null where SQS does not say")
    ] = None
    in_flight: Annotated[
        int | None, Meta(description="messages there that somebody received just now")
    ] = None
    messages: Annotated[
        Sequence[Lying], Meta(description="those looked at: a few, the oldest first")
    ] = ()
    note: Annotated[str, Meta(description="what could not be seen, and why")] = ""


class Redriven(msgspec.Struct, frozen=True):
    """What a redrive of one source's dead-letter queue came to."""

    source: Annotated[str, Meta(description="its name")]
    queue: Annotated[str, Meta(description="the dead-letter queue's URL; empty if there is none")]
    way: Annotated[
        Literal["", "move-task", "by-hand"],
        Meta(description="by a task of SQS, or received, sent and deleted by this command"),
    ] = ""
    moved: Annotated[int, Meta(description="messages that are in the source's queue again")] = 0
    failed: Annotated[
        Mapping[str, str], Meta(description="those still there, by id, with SQS's code")
    ] = {}
    doubled: Annotated[
        Mapping[str, str],
        Meta(description="those moved and not deleted, so that they are in both queues"),
    ] = {}
    others: Annotated[int, Meta(description="messages of other queues, which were left")] = 0
    stopped: Annotated[bool, Meta(description="whether a signal ended it")] = False
    note: Annotated[str, Meta(description="why it went this way, or why it ended early")] = ""

    @property
    def good(self) -> bool:
        """Whether nothing is left that should have been moved."""
        return not (self.failed or self.doubled)


def listed(source: str, dead: DeadLetters | None, entries: Sequence[Entry], *, most: int) -> Listed:
    """Look at what lies in *dead*, at *most* messages of it; *entries* are the source's."""
    if dead is None:
        return Listed(source, "", note="the queue has no redrive policy")
    contents, url = dead.contents(), dead.address.url
    if contents.loops and most:
        note = "not looked at: the queue has a redrive policy too, and each look counts there"
        return Listed(source, url, contents.waiting, contents.in_flight, note=note)
    note = ""
    try:
        found = sorted(dead.peek(most), key=lambda each: each.sent) if most else []
    except Fault as fault:
        if fault.reason in EVERYWHERE:
            raise
        found, note = [], f"not looked at: {fault.reason}: {fault.detail}"
    why = _Reasons(entries)
    lying = [why.of(each, ours=dead.ours(each)) for each in found]
    return Listed(source, url, contents.waiting, contents.in_flight, lying, note)


def noted(found: Listed, note: str) -> Listed:
    """Return *found* with *note* added to what could not be seen."""
    return msgspec.structs.replace(found, note="; ".join(filter(None, (found.note, note))))


class _Reasons:
    """Why messages were refused, as far as a source's quarantine knows."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_message = {
            message: each for each in entries for message in (each.message, *each.messages)
        }
        self._by_object = {str(each.ref): each for each in entries if each.ref}

    def of(self, message: DeadLetter, *, ours: bool) -> Lying:
        try:
            what = [str(each) for each in notifications.decode(message.body).objects]
            fault = None
        except Fault as said:
            what, fault = [], said
        known = self._by_message.get(message.id)
        known = known or next((self._by_object[e] for e in what if e in self._by_object), None)
        reason = known.reason if known else fault.reason if fault else ""
        detail = known.detail if known else fault.detail if fault else ""
        return Lying(message.id, message.sent, message.receive_count, what, reason, detail, ours)


def redrive(
    source: str,
    dead: DeadLetters,
    *,
    most: int | None,
    stopping: threading.Event,
    watched: Watched,
) -> Redriven:
    """Move messages back into the source's queue: all, or *most*; *stopping* ends it early.

    SQS does it itself where it can and moves ours alone.  Raises Fault where the way to SQS is at
    fault, or nothing may be received or sent.
    """
    if stopping.is_set():
        return Redriven(source, dead.address.url, stopped=True)
    try:
        begun = _begin(dead) if most is None else f"only {most} of them"
    except Fault as fault:
        if fault.reason in EVERYWHERE:
            raise
        begun = f"SQS does not do it here: {fault.reason}: {fault.detail}"
    if isinstance(begun, str):
        return _ByHand(source, dead, most, begun).run(stopping, watched)
    return _by_task(source, dead, begun, stopping, watched)


class _Begun(msgspec.Struct, frozen=True):
    """A move task that runs: the one after *before*, or one that somebody else began."""

    before: MoveTask | None
    anothers: bool


def _begin(dead: DeadLetters) -> _Begun | str:
    """Have SQS move them; why that will not do, if so."""
    if dead.shared():
        return "other queues may move messages there too"
    before = dead.task()
    if before and before.runs:
        return _Begun(None, anothers=True)
    dead.start()
    return _Begun(before, anothers=False)


def _by_task(
    source: str,
    dead: DeadLetters,
    begun: _Begun,
    stopping: threading.Event,
    watched: Watched,
) -> Redriven:
    """Watch SQS move them."""
    note = "a move task ran already, and was watched" if begun.anothers else ""
    task = _watch(dead, begun.before, stopping, watched)
    failed = {"task": task.why or "FAILED"} if task.status == "FAILED" else {}
    stopped = task.status == "CANCELLED"
    return Redriven(
        source, dead.address.url, "move-task", task.moved, failed, stopped=stopped, note=note
    )


def _watch(
    dead: DeadLetters, before: MoveTask | None, stopping: threading.Event, watched: Watched
) -> MoveTask:
    """Look at the task that came after *before* until it ended; cancel it if that is asked for."""
    cancelled, deadline = False, time.monotonic() + APPEARS
    pause = threading.Event()
    while True:
        task = dead.task()
        known = task is not None and (before is None or task.started != before.started)
        if task is not None and known:
            watched(task.moved, task.of)
            if not task.runs:
                return task
            deadline = deadline if cancelled else time.monotonic() + APPEARS
        if time.monotonic() > deadline:
            raise Fault("queue-error", f"{dead.address.url}: SQS does not show its move task",
                        where="queue")  # fmt: skip
        if stopping.is_set() and task is not None and task.handle and not cancelled:
            dead.cancel(task.handle)
            cancelled = True
        (pause if stopping.is_set() else stopping).wait(LOOK)


class _ByHand:
    """Receives, sends and deletes, until nothing is left or as many are moved as were asked for."""

    def __init__(self, source: str, dead: DeadLetters, most: int | None, why: str) -> None:
        self._source = source
        self._dead = dead
        self._most = most
        self._why = why
        self._moved = 0
        self._failed: dict[str, str] = {}
        self._doubled: dict[str, str] = {}
        self._returned: set[str] = set()  # ids that what was moved has in the source's queue
        self._others = 0
        self._held: dict[str, DeadLetter] = {}  # left there, and out of the way until the end

    def run(self, stopping: threading.Event, watched: Watched) -> Redriven:
        of, idle = self._count(), 0
        try:
            while idle < IDLE and (room := self._room()) and not stopping.is_set():
                if not (got := self._dead.receive(room, hold=HELD)):
                    break
                idle = 0 if self._take(got) else idle + 1
                watched(self._moved, of)
        except Fault as fault:
            if not self._moved:
                raise
            said = f"after {self._moved} messages were moved: {fault.detail}"
            raise Fault(fault.reason, said, where="queue") from fault
        finally:
            self._dead.give_back(self._held.values())
        return Redriven(
            self._source, self._dead.address.url, "by-hand", self._moved, self._failed,
            self._doubled, self._others, stopping.is_set(), self._why,
        )  # fmt: skip

    def _count(self) -> int | None:
        """How many there are to move, where that is known."""
        waiting = self._dead.contents().waiting
        if self._most is None or waiting is None:
            return self._most if waiting is None else waiting
        return min(self._most, waiting)

    def _room(self) -> int:
        return BATCH if self._most is None else min(BATCH, self._most - self._moved)

    def _take(self, got: Sequence[DeadLetter]) -> bool:
        """Move what is ours of *got*; whether there was anything new."""
        new = [each for each in got if each.id not in self._held]
        ours = [each for each in new if self._dead.ours(each)]
        self._others += len(new) - len(ours)
        mine = [each for each in ours if each.id not in self._returned]
        self._held |= {each.id: each.unread() for each in got}
        for batch in by_bytes(mine):
            self._move(batch)
        return bool(new)

    def _move(self, batch: Sequence[DeadLetter]) -> None:
        sent = self._dead.send(batch)
        self._returned |= sent.ids
        self._failed |= sent.failed
        if not sent.taken:
            return
        doubled = self._dead.delete(sent.taken)
        self._doubled |= doubled
        self._moved += len(sent.taken)
        for each in sent.taken:
            if each.id not in doubled:
                del self._held[each.id]
