"""Apply the plan: read each step's resource, then create it, update it or leave it.

A run that stops half-way is continued by running it again: it finds what exists by then.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from trailcourier.errors import Unreachable
from trailcourier.provision import permissions
from trailcourier.provision.step_runner import CallFailed, StepInspection, StepRunner
from trailcourier.provision.steps import Step

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


def preview_apply(steps: Sequence[Step], runner: StepRunner) -> Iterator[StepReport]:
    """Report what ``apply`` would do about each step; changes nothing."""
    for step in steps:
        try:
            yield _preview(step, runner.inspect(step), runner)
        except CallFailed as failed:
            detail = str(explain_failure(failed, step, runner))
            yield StepReport(step.id, "cannot read", step.summary, detail)


def _preview(step: Step, inspection: StepInspection, runner: StepRunner) -> StepReport:
    if not inspection.exists:
        skipped = _skip_foreign_parent(step, runner)
        return skipped or StepReport(step.id, "to create", step.summary)
    ours = runner.is_ours(step, inspection)
    if not inspection.differences:
        return StepReport(step.id, "unchanged", step.summary)
    return _report_differences(step, inspection, ours=ours, state="to update")


def apply(steps: Sequence[Step], runner: StepRunner) -> Iterator[StepReport]:
    """Create or update each step's resource, in order, and report what was done.

    Raises Denied or Unreachable at the first step that fails; the steps before it stay applied.
    """
    for step in steps:
        try:
            yield _apply_step(step, runner)
        except CallFailed as failed:
            if step.other_account and failed.answer.denied:
                detail = "the other account has to allow it"
                yield StepReport(step.id, "not allowed", step.summary, detail)
                continue
            raise explain_failure(failed, step, runner) from failed


def _apply_step(step: Step, runner: StepRunner) -> StepReport:
    inspection = runner.inspect(step)
    if not inspection.exists:
        return _skip_foreign_parent(step, runner) or _create(step, inspection, runner)
    ours = runner.is_ours(step, inspection)
    if not inspection.differences:
        return StepReport(step.id, "unchanged", step.summary)
    if ours:
        runner.merge_document(step, inspection)
        for call in step.update_calls or step.create_calls:
            runner.call(call)
    if step.parent in runner.created:
        return StepReport(step.id, "created", step.summary)
    return _report_differences(step, inspection, ours=ours, state="updated")


def _create(step: Step, inspection: StepInspection, runner: StepRunner) -> StepReport:
    if not step.create_calls:
        raise Unreachable(
            f"{step.id}: {step.resource} does not exist or belongs to another account: check the "
            "name and the account"
        )
    runner.merge_document(step, inspection)
    for call in step.create_calls:
        runner.call(call)
    runner.mark_created(step)
    return StepReport(step.id, "created", step.summary)


def _skip_foreign_parent(step: Step, runner: StepRunner) -> StepReport | None:
    """Report a step as skipped whose parent setup did not create.

    An access key of somebody's user, for example, is for its owner to create. Statements that are
    added to a policy have no parent and are not skipped.
    """
    if not runner.parent_is_foreign(step):
        return None
    why = f"setup did not create the {step.parent}: choose another --name, or do it yourself"
    return StepReport(step.id, "skipped", step.summary, why)


def _report_differences(
    step: Step, inspection: StepInspection, *, ours: bool, state: State
) -> StepReport:
    differences = "; ".join(inspection.differences)
    if ours:
        return StepReport(step.id, state, step.summary, differences)
    detail = f"setup did not create it; {differences}"
    return StepReport(step.id, "skipped", step.summary, detail)


def explain_failure(failed: CallFailed, step: Step, runner: StepRunner) -> Unreachable:
    """Return an error that says which call of *step* failed, on what, and what to do."""
    if failed.answer.denied:
        return permissions.explain_denial(failed.answer, step.resource, runner.caller)
    return Unreachable(f"{step.id}: {failed}")
