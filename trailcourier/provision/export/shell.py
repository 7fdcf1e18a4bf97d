"""Export the plan as a shell script for the AWS CLI, which may be run again.

The script decides as `setup apply` does: it contains the source of the rules that apply uses.
"""

import inspect
import re
import shlex
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from trailcourier.aws.calls import AwsCall
from trailcourier.provision import absence, merge_rules
from trailcourier.provision.documents import BucketNotification, Statements
from trailcourier.provision.export import aws_command, by_hand, script_decisions
from trailcourier.provision.export.aws_command import format_command, quote_json
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import MERGED, Fields, Step


def script(layout: Layout, steps: Sequence[Step]) -> str:
    """Return the script."""
    head = resources.files(__package__).joinpath("script_head.sh").read_text()
    lines = [head + _embed_rules() + "RULES"]
    if layout.request.reader == "cross-account":
        lines.append(': "${external_id:?set it to the external id that the collector gives}"\n')
    parents = {step.parent for step in steps}
    for step in steps:
        lines += [*_write_step(layout, step, is_parent=step.id in parents), ""]
    if notes := list(by_hand.list_notes(layout, _steps_with_notes(steps), secret=False)):
        lines += ["cat <<'END'", *notes, "END"]
    return _leave_out_unused("\n".join([*lines, 'exit "$by_hand"', ""]))


def _leave_out_unused(text: str) -> str:
    """Leave out the variables that no command uses: of some outputs only the existence matters."""
    assignment = re.compile(r" && (\w+)=\$result")
    return assignment.sub(lambda found: found[0] if f'"${found[1]}"' in text else "", text)


def _embed_rules() -> str:
    """Return the source of the rules, as one file that imports nothing of ours."""
    rules = inspect.getsource(merge_rules)
    decisions = inspect.getsource(script_decisions).replace("merge_rules.", "")
    decisions = re.sub(r"(?m)^from (trailcourier\S*|__future__) import .*\n", "", decisions)
    return f"{rules}\n\n{decisions}"


def _steps_with_notes(steps: Sequence[Step]) -> list[Step]:
    """Return the steps whose notes the script prints: what the script cannot do itself."""
    return [step for step in steps if step.expected is None and step.id != "trusted-access"]


def _write_step(layout: Layout, step: Step, *, is_parent: bool) -> Iterator[str]:
    yield f"step {shlex.quote(f'{step.id}: {step.summary}')}"
    if step.additive and isinstance(step.expected, Statements | BucketNotification):
        yield from _merge_entry(step)
        return
    yield f"if {_exists_test(step)}; then"
    yield f"  ask answer differences {_expected(step)}" if step.expected else "  result=''"
    yield "  differences=$result"
    yield from (f"  {line}" for line in _find_owner(layout, step))
    yield '  if change "$differences" "$ours"; then'
    yield "    :"
    yield from (f"    {line}" for line in _update(layout, step))
    yield "  fi"
    yield "else"
    yield from (f"  {line}" for line in _create(layout, step))
    yield "fi"
    if is_parent:
        yield f"{_owner_variable(step.id)}=$ours"


def _owner_variable(step_id: str) -> str:
    return f"ours_{step_id.replace('-', '_')}"


def _exists_test(step: Step) -> str:
    """Return a condition that holds if the step's resource exists, and keeps its outputs."""
    parts = []
    for call in step.read_calls:
        parts.append(_look(step, call, absence.list_codes(call)))
        parts += [f"keep answer {name} && {name}=$result" for name in call.outputs]
    return " \\\n  && ".join(parts)


def _look(step: Step, call: AwsCall, codes: frozenset[str], into: str = "answer") -> str:
    what = f"{call.action} on {call.resource or step.resource}"
    at = step.expected.at if isinstance(step.expected, Fields | Statements) else "@"
    last = call == step.read_calls[-1]
    selected = {"answer": "@", **({"part": at} if last else {}), **call.outputs}
    query = ", ".join(f"{name}: {path}" for name, path in selected.items())
    prefix = "([.A-Za-z]*[.])?" if call.service == "sqs" else ""  # of SQS's older codes
    pattern = "|".join(f"{prefix}{code}" for code in sorted(codes))
    return (
        f"look {into} {shlex.quote(what)} {shlex.quote(pattern)} \\\n"
        f"    {format_command(call)} --query {shlex.quote('{' + query + '}')}"
    )


def _find_owner(layout: Layout, step: Step) -> Iterator[str]:
    """Set ``ours`` to whether setup may change the existing resource, as `StepRunner` decides."""
    if step.additive:
        yield "ours=yes"
    elif step.parent:
        yield f"ours=${_owner_variable(step.parent)}"
    elif step.tags_call:
        codes = absence.list_codes(step.tags_call)
        yield f"{_look(step, step.tags_call, codes, 'tags')} || :"
        yield f"ask tags owned {layout.name}"
        yield "ours=$result"
    else:
        yield f"ask answer owned {layout.name}"
        yield "ours=$result"


def _expected(step: Step) -> str:
    """Return what the step expects, as the JSON that `script_decisions` reads."""
    match step.expected:
        case Fields(_, values, lenient):
            return quote_json({"fields": values, "lenient": list(lenient)})
        case Statements(_, statements):
            return quote_json({"statements": list(statements)})
        case BucketNotification(kind, entry):
            return quote_json({"kind": kind, "entry": entry})
        case _:
            return "'{}'"


def _merge_entry(step: Step) -> Iterator[str]:
    """Add our entries to a document that others may edit too."""
    yield f"{_look(step, step.read_calls[0], _document_codes(step))} || :"
    yield f"ask answer differences {_expected(step)}"
    yield 'if change "$result" yes; then'
    yield from (f"  {line}" for line in _change(step, step.create_calls[0]))
    yield "fi"


def _document_codes(step: Step) -> frozenset[str]:
    """Return the codes that mean there is no document; its resource exists by then."""
    codes = absence.list_codes(step.read_calls[0])
    return codes if codes == {"NoSuchBucketPolicy"} else frozenset()


def _change(step: Step, call: AwsCall) -> Iterator[str]:
    if MERGED in _values(call.parameters):
        yield f"ask answer merge {_expected(step)} \\"
        yield f"  {quote_json(call.parameters)}"
        yield f'{aws_command.name_command(call)} --cli-input-json "$result" >/dev/null'
    else:
        yield f"{format_command(call)} >/dev/null"


def _values(value: Any) -> Iterator[Any]:
    for each in value.values():
        yield from _values(each) if isinstance(each, dict) else (each,)


def _update(layout: Layout, step: Step) -> Iterator[str]:
    for call in step.update_calls or step.create_calls:
        yield from _change(step, call)
    if step.id == "trail":
        yield from _disable_recursive_logging(layout)


def _create(layout: Layout, step: Step) -> Iterator[str]:
    if not step.create_calls:
        text = f"{step.id}: {step.resource} does not exist: check the name and the account"
        yield f"stop {shlex.quote(text)}"
        return
    parent = f'"${_owner_variable(step.parent)}" {step.parent}' if step.parent else "yes ''"
    yield "ours=yes"
    yield f"if create {parent}; then"
    if step.id == "access-key":
        yield from _create_access_key(layout, step)
    elif step.other_account:
        denied = "not allowed: the other account has to allow it"
        yield f"  {format_command(step.create_calls[0])} >/dev/null ||"
        yield f"    {{ tell '{denied}'; by_hand=1; }}"
    else:
        yield from (f"  {line}" for call in step.create_calls for line in _create_call(call))
    if step.id == "trail":
        yield from (f"  {line}" for line in _disable_recursive_logging(layout))
    yield "fi"


def _create_call(call: AwsCall) -> Iterator[str]:
    if call.operation == "PutBucketTagging":  # without the tag the next run would not know it
        yield f"{format_command(call)} >/dev/null ||"
        yield "  stop 'the new bucket has no tag yet: delete it, then run this script again'"
    elif not call.outputs:
        yield f"{format_command(call)} >/dev/null"
    for name, path in call.outputs.items():
        yield f"{name}=$({format_command(call)} --query {shlex.quote(path)} --output text)"


def _create_access_key(layout: Layout, step: Step) -> Iterator[str]:
    file = f"{layout.name}-access-key.json"
    yield f"  [ ! -e {file} ] || stop '{file} exists: move it away, then run this again'"
    yield f"  (umask 077 && {format_command(step.create_calls[0])} --output json >{file})"
    yield f"  tell 'the new access key is in {file}'"


def _disable_recursive_logging(layout: Layout) -> Iterator[str]:
    """Exclude the events that the trail's own deliveries cause, if the AWS CLI supports it."""
    trail = f"--region {layout.region} --name {layout.name}"
    yield f"aws cloudtrail update-trail {trail} --no-recursive-logging >/dev/null 2>&1 ||"
    yield "  tell 'this AWS CLI is too old to exclude the events that deliveries cause'"
