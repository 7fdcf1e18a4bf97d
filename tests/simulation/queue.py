"""A simulated SQS queue with its dead-letter queue, and what one process sees of it."""

import random
from collections import Counter
from collections.abc import Callable, Sequence

from tests.simulation.clock import EPOCH
from tests.simulation.points import Points, Struck
from tests.simulation.schedule import Schedule, Signal
from trailcourier.aws.sqs import BatchResult, NotAllowed, QueueDepth
from trailcourier.errors import Fault
from trailcourier.models import Message


def name_of(message: str) -> str:
    """What the simulation calls a message with this id: one that was moved has another id."""
    return message.partition("~")[0]


class Held:
    """One message in the queue; times are milliseconds."""

    def __init__(self, name: str, body: str, sent: int) -> None:
        self.name = name
        self.id = name
        self.body = body
        self.sent = sent
        self.receives = 0
        self.receipt = ""
        self.received = 0
        self.visible = sent  # from when on it can be received


class SqsServer:
    """The queue itself; *most_receives* is its redrive policy, 0 for none.

    Nobody can hold a message for longer than *life* milliseconds.
    """

    def __init__(
        self, schedule: Schedule, chance: random.Random, *, most_receives: int, stale_works: bool,
        life: int,
    ) -> None:  # fmt: skip
        self.messages: dict[str, Held] = {}
        self.dead: dict[str, Held] = {}
        self.deleted: dict[str, int] = {}
        self.purged: set[str] = set()
        self.gone: dict[str, int] = {}  # when messages were purged, or found dead
        self.moved: set[str] = set()  # out of the dead-letter queue
        self.deletes = 0  # that were answered with success
        self.received: list[tuple[int, int]] = []  # when receives were answered, with how many
        self.asked = 0  # when the last receive was
        self.receives: Counter[str] = Counter()
        self.watch: Callable[[str], None] = lambda name: None
        self.outdated: Callable[[str, str, str], None] = lambda message, receipt, what: None
        """Called with a receipt that is not the message's last, and what is asked with it."""
        self.most_receives = most_receives
        self.trouble = ""  # a reason while every call fails with it
        self.denies_extend = False
        self._life = life
        self._stale_works = stale_works  # a delete by an older receipt deletes nonetheless
        self._schedule = schedule
        self._chance = chance
        self.news = Signal()

    def send(self, name: str, body: str) -> None:
        self.messages[name] = Held(name, body, self._schedule.now)
        self._schedule.fire(self.news)

    def waiting(self) -> int:
        """How many messages can be received now."""
        return sum(held.visible <= self._schedule.now for held in self.messages.values())

    def next_visible(self) -> int | None:
        """When the next message can be received."""
        return min((held.visible for held in self.messages.values()), default=None)

    def take(self, most: int, visibility: int) -> list[Message]:
        """Hand out up to *most* messages for *visibility* milliseconds, in no order."""
        now = self._schedule.now
        there = [held for held in self.messages.values() if held.visible <= now]
        self._chance.shuffle(there)
        if len(there) > 1 and self._chance.random() < 0.3:  # a few of its servers answer
            there = there[: self._chance.randint(1, len(there))]
        taken = []
        for held in there:
            if len(taken) == most:
                break
            if self.most_receives and held.receives >= self.most_receives:
                self.dead[held.name] = self.messages.pop(held.name)
                self.gone[held.name] = now
                continue
            held.receives += 1
            self.receives[held.name] += 1
            held.received, held.visible = now, now + visibility
            held.receipt = f"{held.id}:{held.receives}"
            sent = EPOCH * 1000 + held.sent
            taken.append(Message(held.id, held.receipt, held.body, held.receives, sent))
        self.received.append((now, len(taken)))
        return taken

    def delete(self, name: str, receipt: str) -> str:
        """Delete one message; empty, or the code with which that fails."""
        held, name = self._held(name), name_of(name)
        if held is None and name not in self.deleted:
            return "ReceiptHandleIsInvalid"
        self.deletes += 1
        if held is None:
            return ""
        if held.receipt != receipt:
            self.outdated(name, receipt, "a delete")
        if held.receipt != receipt and not self._stale_works:
            return ""  # success, and the message stays, as SQS says it may
        self.watch(name)
        self.deleted[name] = self._schedule.now
        del self.messages[name]
        return ""

    def extend(self, name: str, receipt: str, milliseconds: int) -> str:
        """Change one message's visibility; empty, or the code with which that fails."""
        held, now = self._held(name), self._schedule.now
        if held is None:
            return "InvalidParameterValue"
        if held.receipt != receipt:
            if milliseconds:
                self.outdated(held.name, receipt, "an extension")
            return "ReceiptHandleIsInvalid"
        if held.visible <= now:
            return "AWS.SimpleQueueService.MessageNotInflight"
        if now + milliseconds > held.received + self._life:
            return "InvalidParameterValue"
        held.visible = now + milliseconds
        if not milliseconds:
            self._schedule.fire(self.news)
        return ""

    def purge(self) -> None:
        """Remove every message, as an operator may; a delete of one of them succeeds."""
        self.purged.update(self.messages)
        self.gone.update(dict.fromkeys(self.messages, self._schedule.now))
        self.deleted.update(dict.fromkeys(self.messages, self._schedule.now))
        self.messages.clear()

    def redeliver(self, name: str) -> None:
        """Make a message visible at once, as SQS may."""
        if held := self.messages.get(name):
            held.visible = self._schedule.now
            self._schedule.fire(self.news)

    def redrive(self) -> None:
        """Move every dead message back, as an operator may: under a new id, as SQS does.

        Some servers keep the id, and count its receives from zero.
        """
        for name, dead in list(self.dead.items()):
            self.send(name, dead.body)
            moved = self.messages[name]
            if self._chance.random() < 0.7:
                moved.id = f"{name}~{self._schedule.now}"
            self.moved.add(name)
            del self.dead[name], self.gone[name]

    def returning(self) -> bool:
        """Whether a message that was moved back is still to be received."""
        return any(held.name in self.moved and not held.receives for held in self.messages.values())

    def _held(self, message: str) -> Held | None:
        """The message with this id, if it is still here."""
        held = self.messages.get(name_of(message))
        return held if held is not None and held.id == message else None


class SimQueue:
    """What the line has instead of ``sqs.Queue``."""

    def __init__(self, server: SqsServer, points: Points) -> None:
        self._server = server
        self._points = points

    def receive(self, *, most: int, wait: int, visibility: int) -> list[Message]:
        schedule = self._points.schedule
        ends = schedule.now + wait * 1000
        self._server.asked = schedule.now
        while schedule.now < ends and not self._server.trouble:
            visible = self._server.next_visible()
            if visible is not None and visible <= schedule.now:
                break
            wakes = ends if visible is None else min(visible, ends)
            schedule.wait(self._server.news, wakes - schedule.now)
            self._server.asked = schedule.now
        return self._call("receive", lambda: self._server.take(most, visibility * 1000), f"{most}")

    def change_visibility(self, entries: Sequence[tuple[str, str, int]]) -> BatchResult:
        if self._server.denies_extend:
            raise NotAllowed("queue-denied", "sqs:ChangeMessageVisibility", where="queue")

        def act(some: Sequence[tuple[str, str, int]]) -> BatchResult:
            return _changed(
                {name: self._server.extend(name, receipt, seconds * 1000)
                 for name, receipt, seconds in some}
            )  # fmt: skip

        return self._batches("extend", entries, act)

    def delete(self, entries: Sequence[tuple[str, str]]) -> BatchResult:
        def act(some: Sequence[tuple[str, str]]) -> BatchResult:
            return _changed({name: self._server.delete(name, receipt) for name, receipt in some})

        return self._batches("delete", entries, act)

    def depth(self) -> QueueDepth | None:
        def act() -> QueueDepth:
            waiting = self._server.waiting()
            return QueueDepth(waiting, len(self._server.messages) - waiting, 0)

        return self._call("depth", act, partly=lambda _: None)  # denied: the depth is unknown

    def max_receives(self) -> int | None:
        return self._call("redrive", lambda: self._server.most_receives)

    def _batches(self, name, entries, act):
        done, lost, failed = (), {}, {}
        for at in range(0, len(entries), 10):
            some = entries[at : at + 10]

            def partly(kind: str, some=some) -> BatchResult:
                if kind == "denied":
                    raise NotAllowed("queue-denied", "denied for once", where="queue")
                part = act(some[1:])
                code = "InternalError" if kind == "partial" else "ReceiptHandleIsInvalid"
                told = {some[0][0]: code}
                if kind == "partial":
                    return BatchResult(part.done, part.lost, {**part.failed, **told})
                return BatchResult(part.done, {**part.lost, **told}, part.failed)

            told = " ".join(f"{e[0]}{f' {e[2]} s' if len(e) > 2 else ''}" for e in some)
            changed = self._call(name, lambda some=some: act(some), told, partly)
            done += changed.done
            lost |= changed.lost
            failed |= changed.failed
        return BatchResult(done, lost, failed)

    def _call(self, name, act, told="", partly=None):
        def answer():
            if self._server.trouble:
                raise Struck(self._server.trouble)
            return act()

        try:
            return self._points.call(f"queue.{name}", answer, told=told, partly=partly)
        except Struck as struck:
            reason = "network" if struck.kind == "cut" else struck.kind
            raise Fault(reason, f"simulated: {struck.kind}", where="queue") from None


def _changed(codes: dict[str, str]) -> BatchResult:
    return BatchResult(
        tuple(name for name, code in codes.items() if not code),
        {n: c.removeprefix("AWS.SimpleQueueService.") for n, c in codes.items() if c},
    )
