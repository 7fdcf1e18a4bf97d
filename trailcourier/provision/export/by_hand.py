"""What no export can declare: changes to existing resources, and secrets; pure."""

import json
from collections.abc import Iterator, Mapping, Sequence

from trailcourier.provision.documents import BucketNotification, Statements
from trailcourier.provision.manual_steps import list_manual_steps
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Step, show_placeholders


def is_declared(layout: Layout, step: Step) -> bool:
    """Return whether an export declares *step*: not if it adds to an existing resource."""
    request = layout.request
    match step.id:
        case "bucket-policy" | "bucket-events" | "bucket":
            return not request.existing_bucket
        case "topic-policy" | "topic":
            return not request.topic
        case "key-policy":
            return False  # a new key's declaration contains its policy
        case "access-key" | "trusted-access":
            return False
        case _:
            return True


def list_summaries(step: Step, steps: Sequence[Step], parts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the summary of *step* and of those *steps* that are declared as *parts* of it."""
    within = (each for each in steps if parts.get(each.id) == step.id)
    return tuple(each.summary for each in (step, *within))


def list_notes(layout: Layout, steps: Sequence[Step], *, secret: bool = True) -> Iterator[str]:
    """Yield what is left to do by hand, line by line."""
    for step in steps:
        if not is_declared(layout, step):
            yield from _note(layout, step, secret=secret)
    for each in list_manual_steps(layout):
        yield from each.lines()


def _note(layout: Layout, step: Step, *, secret: bool) -> Iterator[str]:
    if step.id == "access-key" and secret:
        yield "The access key is left out: its secret would be stored with this. Create one:"
        yield f"  aws iam create-access-key --user-name {layout.name}"
    if step.id == "trusted-access":
        yield f"Run this, so that {step.summary}:"
        yield (
            "  aws organizations enable-aws-service-access --service-principal "
            "cloudtrail.amazonaws.com"
        )
    if step.id == "key-policy" and layout.request.kms_key == "new":
        return
    match step.expected:
        case Statements(_, statements):
            yield f"Add these statements to the existing policy, so that {step.summary}:"
            yield from (f"  {json.dumps(show_placeholders(each))}" for each in statements)
        case BucketNotification(kind, entry):
            yield f"Add this to the existing notification configuration, so that {step.summary}:"
            yield f"  {json.dumps({kind: show_placeholders(entry)})}"
        case _:
            pass
