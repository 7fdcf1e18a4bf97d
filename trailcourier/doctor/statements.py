"""Policy statements that are missing, and whose policy they belong to."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from trailcourier.credentials import Credentials
from trailcourier.doctor.call import Answer
from trailcourier.doctor.finding import Finding, Level
from trailcourier.doctor.subject import Subject


def denied(subject: Subject, answer: Answer, id_: str, level: Level, lost: str) -> Finding:
    """Return what a denial means: *lost* says what cannot be done or seen without it.

    Names the call, who made it and on what, and gives the statement that would allow it.
    """
    call = answer.call
    words = answer.fault.detail if answer.fault else ""
    text = f"{subject.principal} may not {call.action} on {call.resource}: {lost}. AWS: {words}"
    return Finding(level, id_, text, remedy(subject, [call.action], call.resource, words))


def remedy(subject: Subject, actions: Sequence[str], resource: str, words: str = "") -> str:
    """Return what to add where, so that the source's principal may do *actions*.

    *words* are AWS's: an explicit deny is not mended by a further Allow.
    """
    added = f"Add to the policies of {subject.principal}: {statement(actions, resource)}"
    if foreign(subject.principal, resource):
        trusted = {"AWS": bearer(subject.principal)}
        other = statement(actions, resource, Principal=trusted)
        added = f"{added} and, as it is another account's, to its own policy: {other}"
    if resource.split(":")[2:3] == ["s3"]:
        added = f"{added}. If the bucket is another account's, its policy has to allow it too."
    if "explicit deny" in words:
        return f"A policy denies it explicitly: find and narrow that statement first. {added}"
    return added


def statement(actions: Sequence[str], resource: str, **more: Mapping[str, Any]) -> str:
    """Return an Allow statement as JSON."""
    action = actions[0] if len(actions) == 1 else list(actions)
    return json.dumps({"Effect": "Allow", **more, "Action": action, "Resource": resource})


def account(arn: str) -> str:
    """Return the account an ARN names; empty for what is no ARN, and for a bucket's."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def region(arn: str) -> str:
    """Return the region an ARN names."""
    parts = arn.split(":", 5)
    return parts[3] if len(parts) == 6 else ""


def foreign(principal: str, resource: str) -> bool:
    """Say whether both name an account, and not the same one."""
    ours, theirs = account(principal), account(resource)
    return bool(ours and theirs and ours != theirs)


def bearer(principal: str) -> str:
    """Return the ARN a policy names: of the role, where *principal* is a session of one."""
    parts = principal.split(":", 5)
    kind, _, rest = parts[-1].partition("/")
    if kind != "assumed-role":
        return principal
    return f"arn:{parts[1]}:iam::{parts[4]}:role/{rest.partition('/')[0]}"


def trust(given: Credentials) -> str:
    """What both sides of a role need; AWS does not say which of them is wrong."""
    role = given.role_arn or "*"
    own = statement(["sts:AssumeRole"], role)
    trust = (
        '{"Effect": "Allow", "Principal": {"AWS": "<who assumes it>"}, "Action": "sts:AssumeRole", '
        '"Condition": {"StringEquals": {"sts:ExternalId": "<the external id>"}}}'
    )
    has = "is configured" if given.external_id else "is not configured"
    return (
        f"AWS does not tell these apart: who assumes the role needs {own}; the role's trust policy "
        f"needs {trust}; the external id in it ({has} here) must be the very same; the role must "
        "exist."
    )
