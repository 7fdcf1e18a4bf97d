"""The policy statements that would allow a denied call, and the policies they belong in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trailcourier.aws.calls import AwsAnswer
from trailcourier.aws.credentials import Credentials
from trailcourier.doctor import denial_places
from trailcourier.doctor.finding import Finding, Level
from trailcourier.doctor.subject import Subject


def denial_finding(
    subject: Subject, answer: AwsAnswer, id_: str, level: Level, lost: str
) -> Finding:
    """Return the finding for a denied call; *lost* says what does not work or is not known.

    The text names the caller, the action and the resource; the fix has the statement to add.
    """
    call = answer.call
    detail = answer.fault.detail if answer.fault else ""
    text = f"{subject.principal} may not {call.action} on {call.resource}: {lost}. AWS: {detail}"
    return Finding(level, id_, text, permission_fix(subject, [call.action], call.resource, detail))


def permission_fix(
    subject: Subject, actions: Sequence[str], resource: str | Sequence[str], detail: str = ""
) -> str:
    """Return which statements to add, to which policies, to allow the principal *actions*.

    *detail* is AWS's error message; if it names an explicit deny, a further Allow does not help.
    """
    if place := denial_places.find_place(detail):
        verb = "denies it" if "explicit deny" in detail else "does not allow it"
        fix = f"AWS names {place}: it {verb}. Change it there to"
        return f"{fix} {allow_statement(actions, resource)}; no other policy can make up for it."
    fix = f"Add to the policies of {subject.principal}: {allow_statement(actions, resource)}"
    first = resource if isinstance(resource, str) else resource[0]
    if is_cross_account(subject.principal, first):
        principal = {"AWS": policy_principal(subject.principal)}
        other = allow_statement(actions, resource, Principal=principal)
        fix = f"{fix} and, as another account owns it, to its own policy: {other}"
    if first.split(":")[2:3] == ["s3"]:
        fix = f"{fix}. If another account owns the bucket, its policy has to allow it too."
    if "explicit deny" in detail:
        return f"A policy denies it explicitly: find and narrow that statement first. {fix}"
    return fix


def allow_statement(
    actions: Sequence[str], resource: str | Sequence[str], **more: Mapping[str, Any]
) -> str:
    """Return an Allow statement as JSON."""
    action = actions[0] if len(actions) == 1 else list(actions)
    return json.dumps({"Effect": "Allow", **more, "Action": action, "Resource": resource})


def arn_account(arn: str) -> str:
    """Return the account in an ARN; empty if it names none (a bucket's), or is not an ARN."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def arn_region(arn: str) -> str:
    """Return the region in an ARN; empty if it names none, or is not an ARN."""
    parts = arn.split(":", 5)
    return parts[3] if len(parts) == 6 else ""


def is_cross_account(principal: str, resource: str) -> bool:
    """Return whether the two ARNs name different accounts."""
    own, other = arn_account(principal), arn_account(resource)
    return bool(own and other and own != other)


def policy_principal(principal: str) -> str:
    """Return the ARN to name in a policy: for a session of a role, the role's."""
    parts = principal.split(":", 5)
    kind, _, rest = parts[-1].partition("/")
    if kind != "assumed-role":
        return principal
    return f"arn:{parts[1]}:iam::{parts[4]}:role/{rest.partition('/')[0]}"


def role_trust_fix(used: Credentials) -> str:
    """Return what the caller and the role both need; AWS does not say which is missing."""
    role = used.role_arn or "*"
    caller = allow_statement(["sts:AssumeRole"], role)
    trust = (
        '{"Effect": "Allow", "Principal": {"AWS": "<the caller>"}, "Action": "sts:AssumeRole", '
        '"Condition": {"StringEquals": {"sts:ExternalId": "<the external id>"}}}'
    )
    has = "is configured" if used.external_id else "is not configured"
    return (
        "AWS's answer is the same for each of these. The role must exist. The caller needs "
        f"{caller}; the role's trust policy needs {trust}. The external id in it must equal "
        f"`external_id` in `credentials`, which {has} here."
    )
