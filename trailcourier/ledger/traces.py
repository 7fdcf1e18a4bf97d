"""Traces: when each step of one source's line last did its work, by the ledger's clock.

One hash, ``s:<source>:traces``: a step's name and milliseconds.  A step notes it when it is
through, so what raises each time leaves none.  Forwards leave one trace for all sources, in
``seen``, with the renewals of their claims and with their outcomes: objects of one source may have
to wait for those of another.  A display that says "well" has looked at all of them: no process that
is alive proves that the line moves.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store

LineStep = Literal["tick", "poll", "forward", "settle", "tend"]
STEPS: tuple[LineStep, ...] = get_args(LineStep)

NOTE_STEP = Script("note_step")
READ_STEPS = Script("read_steps")


class StepTimes(msgspec.Struct, frozen=True):
    """When each step last left a trace, at *now*; milliseconds.

    *waiting* is when the oldest object in flight was dispatched; None without any.  *received* is
    when the queue last answered a receive, with messages or without; None if it never did.
    """

    now: int
    last: Mapping[str, int] = {}
    waiting: int | None = None
    received: int | None = None


class Traces:
    """What the steps of one source's line have left."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, step: Literal["tick", "poll", "settle", "tend"]) -> None:
        """Note that *step* did its work just now."""
        self._store.call(NOTE_STEP, step)

    def last(self) -> StepTimes:
        """When each step last did its work; one that never did is missing."""
        now, told, forward, *rest = self._store.call(READ_STEPS, self._store.source)
        pairs = zip(told[::2], told[1::2], strict=True)
        last = {step.decode(): int(at) for step, at in pairs}
        return StepTimes(now, last | ({"forward": int(forward)} if forward else {}), *rest)
