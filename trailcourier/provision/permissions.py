"""The IAM permissions that setup's caller needs, and which one is missing when AWS denies; pure."""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.errors import Unreachable
from trailcourier.provision.service_principals import CLOUDTRAIL
from trailcourier.provision.steps import Step

_PRINCIPAL = re.compile(r"(arn:aws[a-z-]*:(?:iam|sts)::\S+?)(?: is not authorized|[\s,]|$)")
_ACTION = re.compile(r"not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z*]+)")
_RESOURCE = re.compile(r"on resource:? (arn:\S+?|\*)(?:[\s,]|\.?$)")


class Denied(Unreachable):
    """AWS denied a call; *statement* is the policy statement that would allow it."""

    def __init__(self, message: str, statement: dict[str, Any]) -> None:
        super().__init__(message)
        self.statement = statement


class ResourceActions(msgspec.Struct, frozen=True):
    """The IAM actions needed on one resource."""

    resource: str
    actions: tuple[str, ...]


def required_permissions(steps: Iterable[Step]) -> list[ResourceActions]:
    """Return what applying and destroying *steps* needs, resource by resource."""
    by_resource: dict[str, dict[str, None]] = {}
    for step in steps:
        for call in step.calls:
            resource = call.resource or step.resource
            for action in call.actions:
                on = _acted_on(action, call, resource)
                by_resource.setdefault(on, {})[action] = None
    return [ResourceActions(on, tuple(actions)) for on, actions in by_resource.items()]


def _acted_on(action: str, call: AwsCall, resource: str) -> str:
    """Return what *action* is on: of some calls, something else than the call's resource."""
    if action == "iam:PassRole":  # the role in an instance profile has the profile's name
        return resource.replace(":instance-profile/", ":role/")
    if call.service == "cloudtrail" and action.startswith("iam:"):
        partition = resource.split(":")[1]
        return f"arn:{partition}:iam::*:role/aws-service-role/{CLOUDTRAIL}/*"
    return "*" if action.startswith("organizations:") else resource


def explain_denial(answer: AwsAnswer, resource: str, caller: str) -> Denied:
    """Return an error that names the principal, the action, the resource and the statement.

    What AWS's message names takes precedence over *resource* and *caller*: it is more exact.
    """
    call, message = answer.call, str(answer.response.get("Error", {}).get("Message", ""))
    who, what, on = _PRINCIPAL.search(message), _ACTION.search(message), _RESOURCE.search(message)
    action = _with_usual_case(what[1], call) if what else call.action
    denied_on = on[1] if on else call.resource or resource
    principal = who[1] if who else caller or "the caller"
    statement = {"Effect": "Allow", "Action": action, "Resource": denied_on}
    text = f"AWS denied {call}: {principal} is not allowed {action} on {denied_on}"
    if call.operation == "HeadBucket":  # bucket names are global
        text += ", or the bucket belongs to another account (then choose another --bucket)"
    text += f". Allow it with this statement, then run this again: {json.dumps(statement)}"
    return Denied(text, statement)


def _with_usual_case(action: str, call: AwsCall) -> str:
    """Return *action* as policies write it: SQS's messages have it in lower case."""
    known = (*call.actions, str(call))
    return next((each for each in known if each.lower() == action.lower()), action)
