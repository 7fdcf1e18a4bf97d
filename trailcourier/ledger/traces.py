"""Traces: when each step of one source's line last did its work, by the ledger's clock.

One hash, ``s:<source>:traces``: a step's name and milliseconds.  A step notes it when it is
through, so what raises each time leaves none.  A display that says "well" has looked at them: no
process that is alive proves that the line moves.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from trailcourier.ledger.store import Script, Store

LineStep = Literal["tick", "poll", "tend", "settle"]
STEPS: tuple[LineStep, ...] = get_args(LineStep)

NOTE = Script("""
redis.call('HSET', S .. 'traces', ARGV[1], string.format('%d', NOW))
""")

TRACES = Script("return {NOW, redis.call('HGETALL', S .. 'traces')}")


class StepTimes(msgspec.Struct, frozen=True):
    """When each step last left a trace, at *now*; milliseconds."""

    now: int
    last: Mapping[str, int] = {}


class Traces:
    """What the steps of one source's line have left."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, step: LineStep) -> None:
        """Note that *step* did its work just now."""
        self._store.call(NOTE, step)

    def last(self) -> StepTimes:
        """When each step last did its work; one that never did is missing."""
        now, told = self._store.call(TRACES)
        pairs = zip(told[::2], told[1::2], strict=True)
        return StepTimes(now, {step.decode(): int(at) for step, at in pairs})
