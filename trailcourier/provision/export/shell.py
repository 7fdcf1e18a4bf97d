"""The plan as a script for the AWS CLI, which may be run again.

A policy that others wrote in is not merged there, for want of a tool every shell has: the script
says the statements that are to be added, and ends with 1.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from botocore import xform_name

from trailcourier.provision import documents
from trailcourier.provision.asking import encoded
from trailcourier.provision.export import by_hand
from trailcourier.provision.layout import Layout
from trailcourier.provision.steps import (
    MERGED,
    Call,
    Known,
    Notification,
    Statements,
    Step,
    shown,
)

HEAD = """\
#!/bin/sh
# The AWS side of Trailcourier, as `trailcourier setup plan` says it, by the AWS CLI.
# It may be run again: what is there is not made twice, and settings are set as they should be.
set -eu
by_hand=0
step() { printf '%s\\n' "$1"; }
merge() { printf 'BY HAND: %s\\n' "$1" >&2; by_hand=1; }
"""
_COMMANDS = {"s3": "s3api"}
_YOUNG = frozenset({"RecursiveLogging"})  # CLIs of before 2026 refuse what they do not know


def script(layout: Layout, steps: Sequence[Step]) -> str:
    """Write the script."""
    lines = [HEAD]
    if layout.request.reader == "cross-account":
        lines.append(': "${external_id:?the external id that the collector will give}"\n')
    for step in steps:
        lines += [*_step(layout, step), ""]
    if notes := list(by_hand.notes(layout, _noted(steps), secret=False)):
        lines += ["cat <<'END'", *notes, "END"]
    return "\n".join([*lines, 'exit "$by_hand"', ""])


def _noted(steps: Sequence[Step]) -> list[Step]:
    """The script itself does what is left to do in other exports, but for other accounts."""
    return [step for step in steps if step.want is None and step.id != "trusted-access"]


def _step(layout: Layout, step: Step) -> Iterator[str]:
    yield f"step {shlex.quote(f'{step.id}: {step.words}')}"
    if isinstance(step.want, Statements | Notification) and step.adds:
        yield from _document(step)
    elif step.id == "access-key":
        yield from _access_key(layout, step)
    elif not step.make:
        yield f"{_command(step.look[0])} >/dev/null"
    elif step.want is not None and not step.mend:  # putting it again changes nothing
        yield from (f"{_command(call)} >/dev/null" for call in step.make)
    else:
        yield from _made_once(step)
    if step.id == "trail":
        yield from _no_recursion(layout)


def _no_recursion(layout: Layout) -> Iterator[str]:
    """Leave out the events of the trail's own deliveries, where the CLI knows how."""
    where = f"--region {layout.region} --name {layout.name}"
    yield f"aws cloudtrail update-trail {where} --no-recursive-logging >/dev/null 2>&1 ||"
    yield "  step 'this AWS CLI is too old to leave out the events of the own deliveries'"


def _made_once(step: Step) -> Iterator[str]:
    whole = documents.policy(step.want.statements) if isinstance(step.want, Statements) else None
    yield f"if {_is_there(step)}; then"
    yield from (f"  {_command(call, whole)} >/dev/null" for call in step.mend)
    if not step.mend:
        yield "  :"
    yield "else"
    yield from (f"  {_kept(call)}" for call in step.make)
    yield "fi"


def _is_there(step: Step) -> str:
    """A command that succeeds if it is there, and keeps what later steps need of it."""
    giving = [call for call in step.look if call.gives]
    if not giving:
        return f"{_command(step.look[0])} >/dev/null 2>&1"
    call = giving[0]
    ((name, path),) = call.gives.items()
    asked = f"{_command(call)} --query {shlex.quote(path)} --output text 2>/dev/null"
    return f'{name}=$({asked}) && [ "${name}" != None ]'


def _kept(call: Call) -> str:
    if not call.gives:
        return f"{_command(call)} >/dev/null"
    name, path = next(iter(call.gives.items()))
    return f"{name}=$({_command(call)} --query {shlex.quote(path)} --output text)"


def _access_key(layout: Layout, step: Step) -> Iterator[str]:
    file = f"{layout.name}-access-key.json"
    yield f"if ! {{ {_is_there(step)}; }}; then"
    yield f"  (umask 077 && {_command(step.make[0])} >{file})"
    yield f"  step 'the new access key is in {file}'"
    yield "fi"


def _document(step: Step) -> Iterator[str]:
    """Put a document where there is none; say what is to be added where others wrote one."""
    marks, wanted, query = _wanted(step)
    asked = f"{_command(step.look[0])} --query {shlex.quote(query)} --output text"
    words = shlex.quote(f"{step.words}: add {json.dumps(shown(wanted))}")
    whole = documents.policy(wanted) if isinstance(wanted, list) else wanted
    put = f"{_command(step.make[0], whole)} >/dev/null"
    yield f"there=$({asked} 2>/dev/null) || there="
    yield "case $there in"
    yield f"  {''.join(f'*{mark}' for mark in marks)}*) ;;"
    yield f"  ''|None) {put} ;;"
    if step.id == "topic-policy":  # AWS gives every topic a first statement
        yield f"  *Sid*Sid*) merge {words} ;;"
        yield f"  *__default_statement_ID*) {put} ;;"
    yield f"  *) merge {words} ;;"
    yield "esac"


def _wanted(step: Step) -> tuple[list[str], Any, str]:
    """By what our entry is known in the document, the entry, and where the document is."""
    match step.want:
        case Statements(at, statements):
            return [each["Sid"] for each in statements], list(statements), at
        case Notification("QueueConfigurations", entry):
            return [entry["QueueArn"]], {"QueueConfigurations": [entry]}, "@"
        case _:
            return ["EventBridge"], {"EventBridgeConfiguration": {}}, "@ && keys(@)"


def _command(call: Call, merged: Any = None) -> str:
    """The CLI's command for *call*, its parameters as JSON."""
    names: dict[str, str] = {}
    given = json.dumps(encoded(_stand_ins(call.parameters, names, merged)))
    text = given.replace("'", "'\\''")
    for stand_in, name in names.items():
        text = text.replace(stand_in, f"'\"${name}\"'")
    service = _COMMANDS.get(call.service, call.service)
    operation = xform_name(call.operation, "-")
    return f"aws {service} {operation} --region {call.region} --cli-input-json '{text}'"


def _stand_ins(value: Any, names: dict[str, str], merged: Any) -> Any:
    if value == MERGED:
        return _stand_ins(merged, names, None)
    if isinstance(value, Known):
        stand_in = f"@{value.name}@"
        names[stand_in] = value.name
        return stand_in
    if isinstance(value, dict):
        known = {name: each for name, each in value.items() if name not in _YOUNG}
        return {name: _stand_ins(each, names, merged) for name, each in known.items()}
    if isinstance(value, list | tuple):
        return [_stand_ins(each, names, merged) for each in value]
    return value
