"""Apply the plan: read each step's resource, then create it, update it or leave it.

A run that stops half-way is continued by running it again: it finds what exists by then.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from trailcourier.aws.calls import AwsCall
from trailcourier.errors import Unreachable
from trailcourier.provision import permissions
from trailcourier.provision.documents import BucketNotification
from trailcourier.provision.notification_overlap import list_overlaps
from trailcourier.provision.step_runner import CallFailed, StepInspection, StepRunner
from trailcourier.provision.steps import Placeholder, Step

State = Literal[
    "to create", "to update", "unchanged", "skipped", "not allowed", "cannot read",
    "created", "updated", "to remove", "removed", "not found", "kept",
]  # fmt: skip


class StepReport(msgspec.Struct, frozen=True):
    """What setup did, or would do, about one step."""

    step: str
    state: State
    summary: str = msgspec.field(name="words")
    detail: str = ""


def step_report(step: Step, state: State, detail: str = "") -> StepReport:
    return StepReport(step.id, state, step.summary, detail)


def preview_apply(steps: Sequence[Step], runner: StepRunner) -> Iterator[StepReport]:
    """Report what ``apply`` would do about each step; changes nothing."""
    unread: dict[str, str] = {}  # what could not be read: a step's id, an output -> that step's id
    for step in steps:
        needed = {step.parent, *(name for call in step.read_calls for name in _needs(call))}
        origin = next((unread[name] for name in sorted(needed) if name in unread), "")
        try:
            report = _apply_step(step, runner, preview=True)
        except CallFailed as failed:
            why = str(explain_failure(failed, step, runner))
            report = step_report(step, "cannot read", f"{why} It may exist already")
            unread |= dict.fromkeys([step.id, *_outputs(step)], step.id)
        else:
            if origin and report.state != "unchanged":
                why = f"setup cannot read the {origin}, so this may exist already: see there"
                report = step_report(step, "cannot read", why)
        yield report


def _needs(call: AwsCall) -> Iterator[str]:
    """Yield the names of the values that *call* takes from earlier answers."""
    values = call.parameters.values()
    yield from (each.name for each in values if isinstance(each, Placeholder))


def _outputs(step: Step) -> Iterator[str]:
    for call in step.read_calls:
        yield from call.outputs


def apply(steps: Sequence[Step], runner: StepRunner) -> Iterator[StepReport]:
    """Create or update each step's resource, in order, and report what was done.

    Raises Denied or Unreachable at the first step that fails; the steps before it stay applied.
    A notification that S3 would refuse is found before the first step.
    """
    _demand_no_overlap(steps, runner)
    for step in steps:
        try:
            yield _apply_step(step, runner)
        except CallFailed as failed:
            if not (step.other_account and failed.answer.denied):
                raise explain_failure(failed, step, runner) from failed
            yield step_report(step, "not allowed", "the other account has to allow it")


def _apply_step(step: Step, runner: StepRunner, *, preview: bool = False) -> StepReport:
    """Create or update the step's resource, or only report what would be done."""
    inspection = runner.inspect(step)
    if overlapping := find_overlap(step, inspection):
        if preview:
            return step_report(step, "not allowed", overlapping)
        raise Unreachable(f"{step.id}: {overlapping}")  # it was added while apply ran
    if not inspection.exists:
        return _create(step, inspection, runner, preview=preview)
    ours = runner.is_ours(step, inspection)
    if not inspection.differences:
        return step_report(step, "unchanged")
    return _update(step, inspection, runner, ours=ours, preview=preview)


def _update(
    step: Step, inspection: StepInspection, runner: StepRunner, *, ours: bool, preview: bool
) -> StepReport:
    """Correct what differs, if setup created the resource."""
    differences = "; ".join(inspection.differences)
    if ours and not preview:
        runner.merge_document(step, inspection)
        for call in step.update_calls or step.create_calls:
            runner.change(call)
    if step.parent in runner.created:
        return step_report(step, "created")
    if not ours:
        return step_report(step, "skipped", f"setup did not create it; {differences}")
    return step_report(step, "to update" if preview else "updated", differences)


def _demand_no_overlap(steps: Sequence[Step], runner: StepRunner) -> None:
    """Raise Unreachable if S3 would refuse a notification, as far as it can be read."""
    for step in steps:
        if isinstance(step.expected, BucketNotification):
            with contextlib.suppress(CallFailed):
                if overlapping := find_overlap(step, runner.inspect(step)):
                    raise Unreachable(f"{step.id}: {overlapping}")


def find_overlap(step: Step, inspection: StepInspection) -> str:
    """Return why S3 would refuse our notification; empty if it would not."""
    if not isinstance(step.expected, BucketNotification) or not step.expected.has_filter:
        return ""
    found = list(list_overlaps(step.expected.entry, inspection.document or {}))
    if not found:
        return ""
    return (
        f"the bucket notifies {found[0]} of the same objects already, and S3 allows only one such "
        "notification: use --delivery eventbridge"
        + (f", or --topic {found[0]}" if ":sns:" in found[0] else "")
    )


def _create(
    step: Step, inspection: StepInspection, runner: StepRunner, *, preview: bool
) -> StepReport:
    # statements that are added to a policy have no parent and are not skipped; an access key of
    # somebody's user, for example, is for its owner to create
    if runner.parent_is_foreign(step):
        why = f"setup did not create the {step.parent}: choose another --name, or do it yourself"
        return step_report(step, "skipped", why)
    if preview:
        return step_report(step, "to create")
    if not step.create_calls:
        raise Unreachable(
            f"{step.id}: {step.resource} does not exist or belongs to another account: check the "
            "name and the account"
        )
    runner.merge_document(step, inspection)
    for call in step.create_calls:
        runner.change(call)
    runner.mark_created(step)
    return step_report(step, "created")


def explain_failure(failed: CallFailed, step: Step, runner: StepRunner) -> Unreachable:
    """Return an error that says which call of *step* failed, on what, and what to do."""
    if failed.answer.denied:
        return permissions.explain_denial(failed.answer, step.resource, runner.caller)
    return Unreachable(f"{step.id}: {failed}")
