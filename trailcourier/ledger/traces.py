"""Traces: when each step of one source's line last completed, by the ledger's clock.

One hash, ``s:<source>:traces``, holds a time in milliseconds for each step.  A step notes its trace
when it has completed, so a step that raises each time leaves none.  Forwards leave one trace for
all sources, in ``seen``, when they renew claims and write outcomes: objects of one source may have
to wait for those of another.  A display that says "well" has looked at all traces, because a live
process does not prove that the line moves.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

LineStep = Literal["tick", "poll", "forward", "settle", "maintenance"]
STEPS: tuple[LineStep, ...] = get_args(LineStep)

NOTE_STEP = Script("note_step")
READ_STEPS = Script("read_steps")


class StepTimes(msgspec.Struct, frozen=True):
    """When each step last completed, as read at *now*; milliseconds.

    *waiting* is when the oldest object in flight was dispatched; None without any.  *received* is
    when the queue last answered a receive, with messages or without; None if it never did.
    """

    now: int
    last: Mapping[str, int] = {}
    waiting: int | None = None
    received: int | None = None


class Traces:
    """Answers when each step of one source's line last completed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, step: Literal["tick", "poll", "settle", "maintenance"]) -> None:
        """Note that *step* completed just now."""
        self._store.call(NOTE_STEP, step)

    def read(self) -> StepTimes:
        """Read when each step last completed; a step that never did is missing."""
        now, steps, forward, *rest = self._store.call(READ_STEPS, self._store.source)
        pairs = zip(steps[::2], steps[1::2], strict=True)
        last = {step.decode(): int(at) for step, at in pairs}
        return StepTimes(now, last | ({"forward": int(forward)} if forward else {}), *rest)
