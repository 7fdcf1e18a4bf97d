"""Go through the plan backwards and remove what setup created.

It removes what carries our tag, and our entries in documents that others edit too. A bucket that
holds objects stays: S3 refuses to delete it. The preview looks for what AWS would refuse to delete,
so that it reports what destroy does.
"""

from collections.abc import Iterator, Mapping, Sequence

import jmespath

from trailcourier.provision.apply import StepReport, explain_failure, step_report
from trailcourier.provision.resources import bucket, reader
from trailcourier.provision.step_runner import CallFailed, StepInspection, StepRunner
from trailcourier.provision.steps import MERGED, Step

_IN_USE = {  # AWS's code where a resource is still in use -> why it is kept
    "BucketNotEmpty": bucket.KEEP_REASON,
    "DeleteConflict": reader.KEEP_REASON,
}
MAX_REPEATS = 5  # of a repeated step; IAM allows two access keys


def destroy(steps: Sequence[Step], runner: StepRunner) -> Iterator[StepReport]:
    """Remove every step's resource, the last step first, and report what was removed or kept.

    Raises Denied or Unreachable at the first step that fails; run it again to continue.
    """
    inspections = dict(_inspect_all(steps, runner))
    for step in reversed(steps):
        if not step.delete_calls and not step.keep_reason:
            continue  # removed together with its parent
        inspection, ours = inspections[step.id]
        try:
            yield _destroy_step(step, inspection, runner, ours=ours)
        except CallFailed as failed:
            raise explain_failure(failed, step, runner) from failed


def preview_destroy(steps: Sequence[Step], runner: StepRunner) -> Iterator[StepReport]:
    """Report what ``destroy`` would remove; changes nothing."""
    inspections: Mapping[str, tuple[StepInspection, bool]] = dict(_inspect_all(steps, runner))
    for step in reversed(steps):
        if step.delete_calls or step.keep_reason:
            inspection, ours = inspections[step.id]
            try:
                kept = _report_kept(step, inspection, ours=ours) or _report_in_use(step, runner)
            except CallFailed as failed:
                raise explain_failure(failed, step, runner) from failed
            yield kept or step_report(step, "to remove")


def _inspect_all(
    steps: Sequence[Step], runner: StepRunner
) -> Iterator[tuple[str, tuple[StepInspection, bool]]]:
    """Inspect every step before any is removed: later steps need values that earlier ones give."""
    for step in steps:
        try:
            inspection = runner.inspect(step)
            yield step.id, (inspection, inspection.exists and runner.is_ours(step, inspection))
        except CallFailed as failed:
            raise explain_failure(failed, step, runner) from failed


def _report_kept(step: Step, inspection: StepInspection, *, ours: bool) -> StepReport | None:
    """Report why nothing is removed; None if something is."""
    if not inspection.exists:
        return step_report(step, "not found")
    if not ours:
        return step_report(step, "kept", "setup did not create it")
    if step.keep_reason:
        return step_report(step, "kept", step.keep_reason)
    return None


def _report_in_use(step: Step, runner: StepRunner) -> StepReport | None:
    """Report that AWS would refuse to delete the step's resource; None if it would not."""
    for call in step.in_use_calls:
        response = runner.call(call, all_pages=False)
        if any(jmespath.search(path, response) for path in call.outputs.values()):
            return step_report(step, "kept", step.in_use_reason)
    return None


def _destroy_step(
    step: Step, inspection: StepInspection, runner: StepRunner, *, ours: bool
) -> StepReport:
    kept = _report_kept(step, inspection, ours=ours) or _report_in_use(step, runner)
    if kept:
        return kept
    for _ in range(MAX_REPEATS if step.repeated else 1):
        try:
            _delete(step, inspection, runner)
        except CallFailed as failed:
            reasons = [why for code, why in _IN_USE.items() if code in failed.answer.codes]
            if not reasons:
                raise
            return step_report(step, "kept", reasons[0])
        if step.repeated and not runner.inspect(step).exists:
            break
    return step_report(step, "removed")


def _delete(step: Step, inspection: StepInspection, runner: StepRunner) -> None:
    call = step.delete_calls[0]
    entry = runner.shared_entry(step) if step.additive else None
    if entry:
        rest = entry.remove_from(inspection.document or {})
        if rest is None and len(step.delete_calls) > 1:
            call = step.delete_calls[1]
        runner.known[MERGED.name] = rest
    runner.call(call)
