"""Walk the plan: look, then do or say that it is so already.

A walk that ends half-way is simply done again: what is there is found there.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.errors import Fault, Unreachable
from trailcourier.provision import permissions
from trailcourier.provision.asking import Asker, View
from trailcourier.provision.steps import Call, Step

State = Literal[
    "to make", "to change", "already so", "left as it is", "not from here", "cannot see",
    "made", "changed", "to remove", "removed", "not there", "left",
]  # fmt: skip


class Told(msgspec.Struct, frozen=True):
    """What became, or would become, of one step."""

    step: str
    state: State
    words: str
    detail: str = ""


def survey(steps: Sequence[Step], asker: Asker) -> Iterator[Told]:
    """Say of each step what applying it would do; changes nothing."""
    for step in steps:
        try:
            view = asker.look(step)
            yield _surveyed(step, view, asker)
        except aws.ERRORS as error:
            yield Told(step.id, "cannot see", step.words, str(failed(error, step, asker)))


def _surveyed(step: Step, view: View, asker: Asker) -> Told:
    if not view.there:
        return _belonging(step, asker) or Told(step.id, "to make", step.words)
    ours = asker.ours(step, view)
    if not view.differs:
        return Told(step.id, "already so", step.words)
    return _differing(step, view, ours=ours, state="to change")


def apply(steps: Sequence[Step], asker: Asker) -> Iterator[Told]:
    """Make each step so, in order, and say what was done.

    Raises Denied or Unreachable at the first that cannot be; those before it stay done.
    """
    for step in steps:
        try:
            yield _applied(step, asker)
        except aws.ERRORS as error:
            if step.foreign and isinstance(error, ClientError) and is_denial(error):
                yield Told(step.id, "not from here", step.words, "the other side has to allow it")
                continue
            raise failed(error, step, asker) from error


def _applied(step: Step, asker: Asker) -> Told:
    view = asker.look(step)
    if not view.there:
        return _belonging(step, asker) or _made(step, view, asker)
    ours = asker.ours(step, view)
    if not view.differs:
        return Told(step.id, "already so", step.words)
    if ours:
        asker.merge(step, view)
        for call in step.mend or step.make:
            asker.ask(call)
    if step.of in asker.fresh:
        return Told(step.id, "made", step.words)
    return _differing(step, view, ours=ours, state="changed")


def _made(step: Step, view: View, asker: Asker) -> Told:
    if not step.make:
        raise Unreachable(f"{step.id}: {step.resource} is not there, or is another account's")
    asker.merge(step, view)
    for call in step.make:
        asker.ask(call)
    asker.made(step)
    return Told(step.id, "made", step.words)


def _belonging(step: Step, asker: Asker) -> Told | None:
    """Say that nothing is added to what others made: a key for their user, say, is theirs to give.

    Statements beside theirs are no such thing; their steps belong to nothing.
    """
    if not asker.theirs(step):
        return None
    why = f"the {step.of} is not setup's own: choose another --name, or do it yourself"
    return Told(step.id, "left as it is", step.words, why)


def _differing(step: Step, view: View, *, ours: bool, state: State) -> Told:
    what = "; ".join(view.differs)
    if ours:
        return Told(step.id, state, step.words, what)
    return Told(step.id, "left as it is", step.words, f"it is not setup's own; {what}")


def is_denial(error: ClientError) -> bool:
    return bool(aws.codes(error) & permissions.DENIED)


def failed(error: Exception, step: Step, asker: Asker) -> Unreachable:
    """Say what went wrong at *step*, where, and what to do."""
    if isinstance(error, ClientError):
        call = _call(error, step)
        if is_denial(error):
            return permissions.denied(error, call, call.on or step.resource, asker.caller)
        told = error.response.get("Error", {})
        return Unreachable(f"{step.id}: {call}: {told.get('Code')}: {told.get('Message')}")
    fault: Fault = aws.fault(error, what=step.id, where=step.resource)
    return Unreachable(fault.detail)


def _call(error: ClientError, step: Step) -> Call:
    named = [each for each in step.calls if each.operation == error.operation_name]
    return named[0] if named else step.look[0]


def told_as_json(told: Sequence[Told]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in told]
