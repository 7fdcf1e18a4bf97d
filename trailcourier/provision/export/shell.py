"""Export the plan as a shell script for the AWS CLI, which may be run again.

The script does not merge a policy that others edited, because no tool for that is in every shell:
it prints the statements to add, and exits with 1.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from botocore import xform_name

from trailcourier.aws.calls import AwsCall
from trailcourier.provision import documents
from trailcourier.provision.documents import BucketNotification, Statements
from trailcourier.provision.export import by_hand
from trailcourier.provision.names import Layout
from trailcourier.provision.step_runner import encode_parameters
from trailcourier.provision.steps import MERGED, Placeholder, Step, show_placeholders

HEAD = """\
#!/bin/sh
# Creates the AWS side of Trailcourier with the AWS CLI, as `trailcourier setup plan` lists it.
# It may be run again: it creates nothing twice, and corrects settings that differ.
set -eu
by_hand=0
step() { printf '%s\\n' "$1"; }
merge() { printf 'BY HAND: %s\\n' "$1" >&2; by_hand=1; }
"""
_COMMANDS = {"s3": "s3api"}
_NEW_PARAMETERS = frozenset({"RecursiveLogging"})  # AWS CLIs older than 2026 refuse these


def script(layout: Layout, steps: Sequence[Step]) -> str:
    """Return the script."""
    lines = [HEAD]
    if layout.request.reader == "cross-account":
        lines.append(': "${external_id:?set it to the external id that the collector gives}"\n')
    for step in steps:
        lines += [*_write_step(layout, step), ""]
    if notes := list(by_hand.list_notes(layout, _steps_with_notes(steps), secret=False)):
        lines += ["cat <<'END'", *notes, "END"]
    return "\n".join([*lines, 'exit "$by_hand"', ""])


def _steps_with_notes(steps: Sequence[Step]) -> list[Step]:
    """Return the steps whose notes the script prints: what the script cannot do itself."""
    return [step for step in steps if step.expected is None and step.id != "trusted-access"]


def _write_step(layout: Layout, step: Step) -> Iterator[str]:
    yield f"step {shlex.quote(f'{step.id}: {step.summary}')}"
    if isinstance(step.expected, Statements | BucketNotification) and step.additive:
        yield from _add_entry(step)
    elif step.id == "access-key":
        yield from _create_access_key(layout, step)
    elif not step.create_calls:
        yield f"{_command(step.read_calls[0])} >/dev/null"
    elif step.expected is not None and not step.update_calls:  # a repeated put changes nothing
        yield from (f"{_command(call)} >/dev/null" for call in step.create_calls)
    else:
        yield from _create_or_update(step)
    if step.id == "trail":
        yield from _disable_recursive_logging(layout)


def _disable_recursive_logging(layout: Layout) -> Iterator[str]:
    """Exclude the events that the trail's own deliveries cause, if the AWS CLI supports it."""
    trail = f"--region {layout.region} --name {layout.name}"
    yield f"aws cloudtrail update-trail {trail} --no-recursive-logging >/dev/null 2>&1 ||"
    yield "  step 'this AWS CLI is too old to exclude the events that deliveries cause'"


def _create_or_update(step: Step) -> Iterator[str]:
    policy = documents.policy_document(step.statements)
    yield f"if {_exists_test(step)}; then"
    yield from (f"  {_command(call, policy)} >/dev/null" for call in step.update_calls)
    if not step.update_calls:
        yield "  :"
    yield "else"
    yield from (f"  {_command_keeping_output(call)}" for call in step.create_calls)
    yield "fi"


def _exists_test(step: Step) -> str:
    """Return a command that succeeds if the resource exists, and keeps the first output."""
    with_outputs = [call for call in step.read_calls if call.outputs]
    if not with_outputs:
        return f"{_command(step.read_calls[0])} >/dev/null 2>&1"
    call = with_outputs[0]
    ((name, path),) = call.outputs.items()
    command = f"{_command(call)} --query {shlex.quote(path)} --output text 2>/dev/null"
    return f'{name}=$({command}) && [ "${name}" != None ]'


def _command_keeping_output(call: AwsCall) -> str:
    if not call.outputs:
        return f"{_command(call)} >/dev/null"
    name, path = next(iter(call.outputs.items()))
    return f"{name}=$({_command(call)} --query {shlex.quote(path)} --output text)"


def _create_access_key(layout: Layout, step: Step) -> Iterator[str]:
    file = f"{layout.name}-access-key.json"
    yield f"if ! {{ {_exists_test(step)}; }}; then"
    yield f"  (umask 077 && {_command(step.create_calls[0])} >{file})"
    yield f"  step 'the new access key is in {file}'"
    yield "fi"


def _add_entry(step: Step) -> Iterator[str]:
    """Put a document where none exists; print what to add where others wrote one."""
    marks, entry, query = _entry(step)
    read = f"{_command(step.read_calls[0])} --query {shlex.quote(query)} --output text"
    note = shlex.quote(f"{step.summary}: add {json.dumps(show_placeholders(entry))}")
    document = documents.policy_document(entry) if isinstance(entry, list) else entry
    put = f"{_command(step.create_calls[0], document)} >/dev/null"
    yield f"existing=$({read} 2>/dev/null) || existing="
    yield "case $existing in"
    yield f"  {''.join(f'*{mark}' for mark in marks)}*) ;;"
    yield f"  ''|None) {put} ;;"
    if step.id == "topic-policy":  # AWS creates every topic with one statement
        yield f"  *Sid*Sid*) merge {note} ;;"
        yield f"  *__default_statement_ID*) {put} ;;"
    yield f"  *) merge {note} ;;"
    yield "esac"


def _entry(step: Step) -> tuple[list[str], Any, str]:
    """Return the marks that show our entry in the document, the entry, and the document's path."""
    match step.expected:
        case Statements(at, statements):
            return [each["Sid"] for each in statements], list(statements), at
        case BucketNotification("QueueConfigurations", entry):
            return [entry["QueueArn"]], {"QueueConfigurations": [entry]}, "@"
        case _:
            return ["EventBridge"], {"EventBridgeConfiguration": {}}, "@ && keys(@)"


def _command(call: AwsCall, merged: Any = None) -> str:
    """Return the AWS CLI's command for *call*, with its parameters as JSON."""
    names: dict[str, str] = {}
    parameters = json.dumps(encode_parameters(_stand_ins(call.parameters, names, merged)))
    text = parameters.replace("'", "'\\''")
    for stand_in, name in names.items():
        text = text.replace(stand_in, f"'\"${name}\"'")
    service = _COMMANDS.get(call.service, call.service)
    operation = xform_name(call.operation, "-")
    return f"aws {service} {operation} --region {call.region} --cli-input-json '{text}'"


def _stand_ins(value: Any, names: dict[str, str], merged: Any) -> Any:
    """Return *value* with a text for each placeholder; *names* maps the texts to variables."""
    if value == MERGED:
        return _stand_ins(merged, names, None)
    if isinstance(value, Placeholder):
        stand_in = f"@{value.name}@"
        names[stand_in] = value.name
        return stand_in
    if isinstance(value, dict):
        supported = {key: each for key, each in value.items() if key not in _NEW_PARAMETERS}
        return {key: _stand_ins(each, names, merged) for key, each in supported.items()}
    if isinstance(value, list | tuple):
        return [_stand_ins(each, names, merged) for each in value]
    return value
