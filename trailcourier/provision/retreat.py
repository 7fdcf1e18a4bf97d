"""Walk the plan backwards: take away what setup made, and leave what it did not.

What is taken away carries our tag, or is an entry of ours in what others write in too.  A bucket
with objects in it is S3's to refuse, and is left.
"""

from collections.abc import Iterator, Mapping, Sequence

from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.provision import documents
from trailcourier.provision.asking import Asker, View
from trailcourier.provision.resources import bucket
from trailcourier.provision.steps import MERGED, Notification, Statements, Step
from trailcourier.provision.walk import Told, failed

_HELD = {  # AWS's refusal to delete what others still use -> why it is left
    "BucketNotEmpty": bucket.LEFT,
    "DeleteConflict": "something that setup did not make is attached to it; take that away first",
}
MOST = 5  # of many; IAM allows two access keys


def destroy(steps: Sequence[Step], asker: Asker) -> Iterator[Told]:
    """Take every step back, the last one first, and say what was done or left, and why.

    Raises Denied or Unreachable at the first that cannot be; run it again to go on.
    """
    views = dict(_seen(steps, asker))
    for step in reversed(steps):
        if not step.undo and not step.left:
            continue  # goes with what it belongs to
        view, ours = views[step.id]
        try:
            yield _destroyed(step, view, asker, ours=ours)
        except aws.ERRORS as error:
            raise failed(error, step, asker) from error


def outlook(steps: Sequence[Step], asker: Asker) -> Iterator[Told]:
    """Say what destroying would take away; changes nothing."""
    views: Mapping[str, tuple[View, bool]] = dict(_seen(steps, asker))
    for step in reversed(steps):
        if step.undo or step.left:
            view, ours = views[step.id]
            kept = _kept(step, view, ours=ours)
            yield kept or Told(step.id, "to remove", step.words)


def _seen(steps: Sequence[Step], asker: Asker) -> Iterator[tuple[str, tuple[View, bool]]]:
    """Look at everything first: what a later step is known by, an earlier one tells."""
    for step in steps:
        try:
            view = asker.look(step)
            yield step.id, (view, view.there and asker.ours(step, view))
        except aws.ERRORS as error:
            raise failed(error, step, asker) from error


def _kept(step: Step, view: View, *, ours: bool) -> Told | None:
    """Say why nothing is taken away, if nothing is."""
    if not view.there:
        return Told(step.id, "not there", step.words)
    if not ours:
        return Told(step.id, "left", step.words, "setup did not make it")
    if step.left:
        return Told(step.id, "left", step.words, step.left)
    return None


def _destroyed(step: Step, view: View, asker: Asker, *, ours: bool) -> Told:
    kept = _kept(step, view, ours=ours)
    if kept:
        return kept
    for _ in range(MOST if step.many else 1):
        try:
            _undo(step, view, asker)
        except ClientError as error:
            held = [why for code, why in _HELD.items() if code in aws.codes(error)]
            if not held:
                raise
            return Told(step.id, "left", step.words, held[0])
        if step.many and not asker.look(step).there:
            break
    return Told(step.id, "removed", step.words)


def _undo(step: Step, view: View, asker: Asker) -> None:
    call = step.undo[0]
    match step.want:
        case Statements() if step.adds:
            rest = documents.without(view.document or {}, asker.statements(step.want))
            if rest is None and len(step.undo) > 1:
                call = step.undo[1]
            asker.known[MERGED.name] = rest
        case Notification():
            asker.known[MERGED.name] = documents.unhooked(view.document or {}, step.want)
        case _:
            pass
    asker.ask(call)
