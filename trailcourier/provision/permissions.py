"""What whoever runs setup must be allowed, and what is missing where AWS says no; pure.

Most actions are called as the API is; the exceptions are those of AWS's service authorization
reference.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from trailcourier.errors import Unreachable
from trailcourier.provision.steps import Call, Step

_PREFIXES = {"resourcegroupstaggingapi": "tag"}
_ACTIONS = {  # where the action is not called as the API is
    "s3:HeadBucket": "s3:ListBucket",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
}
_BESIDE = {  # what else a call needs
    "s3:CreateBucket": ("s3:TagResource",),
    "sqs:CreateQueue": ("sqs:TagQueue",),
    "sns:CreateTopic": ("sns:TagResource",),
    "cloudtrail:CreateTrail": ("cloudtrail:AddTags",),
    "events:PutRule": ("events:TagResource",),
    "kms:CreateKey": ("kms:TagResource",),
    "iam:CreateUser": ("iam:TagUser",),
    "iam:CreateRole": ("iam:TagRole",),
    "iam:CreateInstanceProfile": ("iam:TagInstanceProfile",),
    "iam:AddRoleToInstanceProfile": ("iam:PassRole",),
}
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}
    | {"UnauthorizedOperation", "Forbidden", "403"}
)
_WHO = re.compile(r"(arn:aws[a-z-]*:(?:iam|sts)::\S+?)(?: is not authorized|[\s,]|$)")
_WHAT = re.compile(r"not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z*]+)")
_ON = re.compile(r"on resource:? (arn:\S+?|\*)(?:[\s,]|\.?$)")


class Denied(Unreachable):
    """AWS does not let the caller do it; *statement* is what would."""

    def __init__(self, message: str, statement: dict[str, Any]) -> None:
        super().__init__(message)
        self.statement = statement


class Statement(msgspec.Struct, frozen=True):
    """Actions on one resource."""

    resource: str
    actions: tuple[str, ...]


def action(call: Call) -> str:
    """The IAM action that *call* needs first."""
    prefix = _PREFIXES.get(call.service, call.service)
    named = f"{prefix}:{call.operation}"
    return _ACTIONS.get(named, named)


def actions(calls: Iterable[Call]) -> list[str]:
    """Every IAM action that *calls* need, each once."""
    found: dict[str, None] = {}
    for call in calls:
        found |= dict.fromkeys((action(call), *_BESIDE.get(str(call), ())))
    return list(found)


def needed(steps: Iterable[Step]) -> list[Statement]:
    """What applying and destroying *steps* needs, resource by resource."""
    found: dict[str, dict[str, None]] = {}
    for step in steps:
        for call in step.calls:
            on = call.on or step.resource
            for each in actions([call]):
                where = _passed(on) if each == "iam:PassRole" else on
                found.setdefault(where, {})[each] = None
    return [Statement(resource, tuple(names)) for resource, names in found.items()]


def _passed(profile: str) -> str:
    """The role that an instance profile of the same name holds."""
    return profile.replace(":instance-profile/", ":role/")


def denied(error: ClientError, call: Call, resource: str, caller: str) -> Denied:
    """Say who may not do what on what; AWS's own words count, for they are the more exact."""
    told = str(error.response.get("Error", {}).get("Message", ""))
    who, what, on = _WHO.search(told), _WHAT.search(told), _ON.search(told)
    needed = _cased(what[1], call) if what else action(call)
    where = on[1] if on else resource
    principal = who[1] if who else caller or "the caller"
    statement = {"Effect": "Allow", "Action": needed, "Resource": where}
    words = f"AWS denied {call}: {principal} may not {needed} on {where}"
    if call.operation == "HeadBucket":
        words += ", or the bucket is another account's, for all accounts share their names"
    return Denied(f"{words}. The statement that is missing: {json.dumps(statement)}", statement)


def _cased(named: str, call: Call) -> str:
    """*named* as policies write it: SQS says its actions in small letters."""
    mine = (action(call), str(call), *_BESIDE.get(str(call), ()))
    return next((known for known in mine if known.lower() == named.lower()), named)
