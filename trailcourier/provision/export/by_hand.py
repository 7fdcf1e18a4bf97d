"""What no export can declare: changes to what is there already, and secrets; pure."""

import json
from collections.abc import Iterator, Mapping, Sequence

from trailcourier.provision.elsewhere import elsewhere
from trailcourier.provision.layout import Layout
from trailcourier.provision.steps import Notification, Statements, Step, shown


def declared(layout: Layout, step: Step) -> bool:
    """Whether *step* is about a thing of the plan's own; not, if it adds to what is there."""
    asked = layout.request
    match step.id:
        case "bucket-policy" | "bucket-events" | "bucket":
            return not asked.existing_bucket
        case "topic-policy" | "topic":
            return not asked.topic
        case "key-policy":
            return False  # of a new key it is in the key
        case "access-key" | "trusted-access":
            return False
        case _:
            return True


def words(step: Step, steps: Sequence[Step], parts: Mapping[str, str]) -> tuple[str, ...]:
    """What *step* says, and those of *steps* that an export has as *parts* of it."""
    within = (each for each in steps if parts.get(each.id) == step.id)
    return tuple(each.words for each in (step, *within))


def notes(layout: Layout, steps: Sequence[Step], *, secret: bool = True) -> Iterator[str]:
    """Say what is left to do by hand, line by line."""
    for step in steps:
        if not declared(layout, step):
            yield from _note(layout, step, secret=secret)
    for each in elsewhere(layout):
        yield from each.lines()


def _note(layout: Layout, step: Step, *, secret: bool) -> Iterator[str]:
    if step.id == "access-key" and secret:
        yield "An access key is not in here, for its secret would be kept with it. Make one with"
        yield f"  aws iam create-access-key --user-name {layout.name}"
    if step.id == "trusted-access":
        yield f"So that {step.words}:"
        yield (
            "  aws organizations enable-aws-service-access --service-principal "
            "cloudtrail.amazonaws.com"
        )
    if step.id == "key-policy" and layout.request.kms_key == "new":
        return
    match step.want:
        case Statements(_, statements):
            yield f"What is there already is not declared; add to its policy, so that {step.words}:"
            yield from (f"  {json.dumps(shown(each))}" for each in statements)
        case Notification(kind, entry):
            yield f"What is there already is not declared; configure, so that {step.words}:"
            yield f"  {json.dumps({kind: shown(entry)})}"
        case _:
            pass
