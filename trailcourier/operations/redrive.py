"""List the messages of a source's dead-letter queue, and move them back to the source's queue."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trailcourier import notifications
from trailcourier.aws.dead_letters import HELD, DeadLetter, DeadLetters, MoveTask, split_by_size
from trailcourier.aws.sqs import BATCH
from trailcourier.errors import Fault
from trailcourier.ledger.quarantine import QuarantineEntry

CHECK_INTERVAL = 1.0  # seconds between two reads of a move task's state
IDLE = 3  # receives in a row without a new message, after which no more are expected
APPEARS = 30.0  # seconds within which SQS shows a task that it started, and ends one it cancels
# reasons that do not depend on the call: any other call would fail for the same one
EVERYWHERE = frozenset({"network", "not-aws", "credentials", "instance-metadata", "clock-skew"})

Watched = Callable[[int, int | None], None]
"""Called with the number of messages moved so far, and the number to move if that is known."""


class ListedMessage(msgspec.Struct, frozen=True):
    """One message of a dead-letter queue; times are milliseconds since 1970."""

    id: Annotated[str, Meta(description="the message's id")]
    sent: Annotated[int, Meta(description="when it was first sent, in milliseconds since 1970")]
    receives: Annotated[int, Meta(description="how often it was received, this time included")]
    what: Annotated[
        Sequence[str],
        Meta(description="the objects it announces; empty if its body is not understood"),
    ]
    reason: Annotated[
        str, Meta(description="why it was refused, by quarantine or by its body; empty if unknown")
    ] = ""
    detail: Annotated[str, Meta(description="the details of that reason")] = ""
    ours: Annotated[bool, Meta(description="whether it comes from the source's queue")] = True


class DeadLetterListing(msgspec.Struct, frozen=True):
    """The dead-letter queue of one source."""

    source: Annotated[str, Meta(description="its name")]
    queue: Annotated[str, Meta(description="the dead-letter queue's URL; empty if there is none")]
    waiting: Annotated[
        int | None, Meta(description="messages in it; null where SQS does not say")
    ] = None
    in_flight: Annotated[
        int | None, Meta(description="messages in it that a consumer has received just now")
    ] = None
    messages: Annotated[
        Sequence[ListedMessage], Meta(description="some of its messages, the oldest first")
    ] = ()
    note: Annotated[str, Meta(description="what could not be read, and why")] = ""


class RedriveResult(msgspec.Struct, frozen=True):
    """The result of a redrive of one source's dead-letter queue."""

    source: Annotated[str, Meta(description="its name")]
    queue: Annotated[str, Meta(description="the dead-letter queue's URL; empty if there is none")]
    way: Annotated[
        Literal["", "move-task", "by-hand"],
        Meta(description="by a move task of SQS, or received, sent and deleted by this command"),
    ] = ""
    moved: Annotated[int, Meta(description="messages that are in the source's queue again")] = 0
    failed: Annotated[
        Mapping[str, str], Meta(description="those not moved, by id, with SQS's error code")
    ] = {}
    doubled: Annotated[
        Mapping[str, str],
        Meta(description="those moved and not deleted, so they are in both queues, by id"),
    ] = {}
    others: Annotated[int, Meta(description="messages from other queues, which were not moved")] = 0
    stopped: Annotated[bool, Meta(description="whether a signal ended it")] = False
    note: Annotated[str, Meta(description="why this way was taken, or why it ended early")] = ""

    @property
    def good(self) -> bool:
        """Whether every message that should be moved was moved."""
        return not (self.failed or self.doubled)


def list_messages(
    source: str, dead: DeadLetters | None, entries: Sequence[QuarantineEntry], *, most: int
) -> DeadLetterListing:
    """List up to *most* messages of *dead*, with reasons from the source's quarantine *entries*."""
    if dead is None:
        return DeadLetterListing(source, "", note="the queue has no redrive policy")
    contents, url = dead.contents(), dead.address.url
    if contents.loops and most:
        note = "not read: this queue has a redrive policy too, and each receive counts toward it"
        return DeadLetterListing(source, url, contents.waiting, contents.in_flight, note=note)
    note = ""
    try:
        found = sorted(dead.peek(most), key=lambda each: each.sent) if most else []
    except Fault as fault:
        if fault.reason in EVERYWHERE:
            raise
        found, note = [], f"not read: {fault.reason}: {fault.detail}"
    reasons = _Reasons(entries)
    listed = [reasons.find(each, ours=dead.is_ours(each)) for each in found]
    return DeadLetterListing(source, url, contents.waiting, contents.in_flight, listed, note)


def with_note(found: DeadLetterListing, note: str) -> DeadLetterListing:
    """Return *found* with *note* added to its notes."""
    return msgspec.structs.replace(found, note="; ".join(filter(None, (found.note, note))))


class _Reasons:
    """Finds why messages were refused, in the quarantine of their source."""

    def __init__(self, entries: Sequence[QuarantineEntry]) -> None:
        self._by_message = {
            message: each for each in entries for message in (each.message, *each.messages)
        }
        self._by_object = {str(each.ref): each for each in entries if each.ref}

    def find(self, message: DeadLetter, *, ours: bool) -> ListedMessage:
        try:
            what = [str(each) for each in notifications.decode(message.body).objects]
            fault = None
        except Fault as error:
            what, fault = [], error
        known = self._by_message.get(message.id)
        known = known or next((self._by_object[e] for e in what if e in self._by_object), None)
        reason = known.reason if known else fault.reason if fault else ""
        detail = known.detail if known else fault.detail if fault else ""
        return ListedMessage(
            message.id, message.sent, message.receive_count, what, reason, detail, ours
        )


def redrive(
    source: str,
    dead: DeadLetters,
    *,
    most: int | None,
    stopping: threading.Event,
    watched: Watched,
) -> RedriveResult:
    """Move messages back into the source's queue: all, or *most*; *stopping* ends it early.

    SQS moves them by a message move task if it can do that for this source's messages alone.
    Raises Fault if SQS cannot be reached, or denies receiving or sending.
    """
    if stopping.is_set():
        return RedriveResult(source, dead.address.url, stopped=True)
    try:
        begun = _start_task(dead) if most is None else f"only {most} of them"
    except Fault as fault:
        if fault.reason in EVERYWHERE:
            raise
        begun = f"SQS cannot run a move task here: {fault.reason}: {fault.detail}"
    if isinstance(begun, str):
        return _ManualRedrive(source, dead, most, begun).run(stopping, watched)
    return _by_task(source, dead, begun, stopping, watched)


class _StartedTask(msgspec.Struct, frozen=True):
    """A move task that runs: the one after *before*, or one that somebody else started."""

    before: MoveTask | None
    by_others: bool


def _start_task(dead: DeadLetters) -> _StartedTask | str:
    """Start a move task of SQS, or return why that would be wrong here."""
    if dead.has_other_sources():
        return "other queues may move messages there too"
    before = dead.latest_move()
    if before and before.runs:
        return _StartedTask(None, by_others=True)
    dead.start_move()
    return _StartedTask(before, by_others=False)


def _by_task(
    source: str,
    dead: DeadLetters,
    begun: _StartedTask,
    stopping: threading.Event,
    watched: Watched,
) -> RedriveResult:
    """Wait for the move task and return its result."""
    note = "a move task was running already; this is its result" if begun.by_others else ""
    task = _watch(dead, begun.before, stopping, watched)
    failed = {"task": task.why or "FAILED"} if task.status == "FAILED" else {}
    stopped = task.status == "CANCELLED"
    return RedriveResult(
        source, dead.address.url, "move-task", task.moved, failed, stopped=stopped, note=note
    )


def _watch(
    dead: DeadLetters, before: MoveTask | None, stopping: threading.Event, watched: Watched
) -> MoveTask:
    """Wait until the task after *before* ends; cancel it once *stopping* is set."""
    cancelled, deadline = False, time.monotonic() + APPEARS
    pause = threading.Event()
    while True:
        task = dead.latest_move()
        known = task is not None and (before is None or task.started != before.started)
        if task is not None and known:
            watched(task.moved, task.of)
            if not task.runs:
                return task
            deadline = deadline if cancelled else time.monotonic() + APPEARS
        if time.monotonic() > deadline:
            raise Fault("queue-error", f"{dead.address.url}: SQS does not show its move task; see "
                        "`trailcourier dlq list` for what is left",
                        where="queue")  # fmt: skip
        if stopping.is_set() and task is not None and task.handle and not cancelled:
            dead.cancel_move(task.handle)
            cancelled = True
        (pause if stopping.is_set() else stopping).wait(CHECK_INTERVAL)


class _ManualRedrive:
    """Moves messages by receive, send and delete, until none is left or *most* are moved."""

    def __init__(self, source: str, dead: DeadLetters, most: int | None, why: str) -> None:
        self._source = source
        self._dead = dead
        self._most = most
        self._why = why
        self._moved = 0
        self._failed: dict[str, str] = {}
        self._doubled: dict[str, str] = {}
        self._returned: set[str] = set()  # ids that moved messages have in the source's queue
        self._others = 0
        self._held: dict[str, DeadLetter] = {}  # received and not moved; hidden until the end

    def run(self, stopping: threading.Event, watched: Watched) -> RedriveResult:
        of, idle = self._count(), 0
        try:
            while idle < IDLE and (room := self._room()) and not stopping.is_set():
                if not (got := self._dead.receive(room, visibility=HELD)):
                    break
                idle = 0 if self._take(got) else idle + 1
                watched(self._moved, of)
        except Fault as fault:
            if not self._moved:
                raise
            said = f"after {self._moved} messages were moved: {fault.detail}"
            raise Fault(fault.reason, said, where="queue") from fault
        finally:
            self._dead.release(self._held.values())
        return RedriveResult(
            self._source, self._dead.address.url, "by-hand", self._moved, self._failed,
            self._doubled, self._others, stopping.is_set(), self._why,
        )  # fmt: skip

    def _count(self) -> int | None:
        """Return how many messages there are to move, if that is known."""
        waiting = self._dead.contents().waiting
        if self._most is None or waiting is None:
            return self._most if waiting is None else waiting
        return min(self._most, waiting)

    def _room(self) -> int:
        return BATCH if self._most is None else min(BATCH, self._most - self._moved)

    def _take(self, got: Sequence[DeadLetter]) -> bool:
        """Move the source's own messages of *got*; return whether any message was new."""
        new = [each for each in got if each.id not in self._held]
        ours = [each for each in new if self._dead.is_ours(each)]
        self._others += len(new) - len(ours)
        mine = [each for each in ours if each.id not in self._returned]
        self._held |= {each.id: each.without_content() for each in got}
        for batch in split_by_size(mine):
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
