"""Evaluates a resource policy for a service of AWS, from the policy's text.

It covers as much of the policy language as policies of topics, queues and keys use.  Anything else,
such as a condition on an unknown key, makes the verdict ``unknown``, never ``yes`` or ``no``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

Verdict = Literal["yes", "no", "unknown"]

_EQUALS = {"stringequals", "arnequals", "arnlike", "stringlike", "stringequalsignorecase"}
_DIFFERS = {each.replace("string", "stringnot").replace("arn", "arnnot") for each in _EQUALS}
_ABSENT = {"aws:principalorgid", "aws:principalorgpaths", "aws:sourcevpce", "aws:sourcevpc"}
"""Keys that a request of AWS's own services does not have, so that a negated condition holds."""
_SERVICES = ("Service", "AWS")


class PolicyQuestion(msgspec.Struct, frozen=True):
    """Whether *service* (``"sns.amazonaws.com"``) may do *action* on *resource* for *source*.

    *source* is the ARN that ``aws:SourceArn`` is compared with, *account* the account that owns it.
    """

    service: str
    action: str
    resource: str
    source: str
    account: str = ""


def allows(policy: str, request: PolicyQuestion) -> Verdict:
    """Return whether *policy*, a JSON text, allows *request*."""
    found = [_applies(each, request) for each in _statements(policy)]
    denies = {verdict for effect, verdict in found if effect == "Deny"}
    allowed = {verdict for effect, verdict in found if effect == "Allow"}
    if "yes" in denies or allowed <= {"no"}:
        return "no"
    if "unknown" in denies or "yes" not in allowed:
        return "unknown"
    return "yes"


def denying(policy: str, request: PolicyQuestion) -> str:
    """Return the name of a statement of *policy* that denies *request*; empty if none does."""
    for at, each in enumerate(_statements(policy), start=1):
        if _applies(each, request) == ("Deny", "yes"):
            return str(each.get("Sid") or f"number {at}")
    return ""


def allows_anyone(policy: str, action: str) -> bool:
    """Return whether any statement of *policy* allows *action*, to whomever it is."""
    return any(
        each.get("Effect") == "Allow" and _matches(each, "Action", action)
        for each in _statements(policy)
    )


def senders(policy: str, action: str) -> dict[str, set[str]]:
    """Return, for each service that may do *action*, the source ARNs it may do it for.

    Leaves out ARNs with a wildcard, and services that no ``aws:SourceArn`` restricts.
    """
    found: dict[str, set[str]] = {}
    for statement in _statements(policy):
        if statement.get("Effect") != "Allow" or not _matches(statement, "Action", action):
            continue
        for _, key, values in _conditions(statement):
            if key == "aws:sourcearn":
                for arn in values:
                    if not set(arn) & set("*?"):
                        found.setdefault(arn.split(":")[2], set()).add(arn)
    return found


def _statements(policy: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(policy or "{}").get("Statement", [])
    except (ValueError, AttributeError):
        return []
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, dict)]


def _applies(statement: Mapping[str, Any], request: PolicyQuestion) -> tuple[str, Verdict]:
    """Return the statement's effect, and whether it applies to *request*."""
    effect = str(statement.get("Effect"))
    matches = (
        _is_principal(statement, request.service)
        and _matches(statement, "Action", request.action)
        and _matches(statement, "Resource", request.resource)
    )
    if not matches:
        return effect, "no"
    verdicts = [
        _holds(operator, key, values, request) for operator, key, values in _conditions(statement)
    ]
    if "no" in verdicts:
        return effect, "no"
    return effect, "unknown" if "unknown" in verdicts else "yes"


def _is_principal(statement: Mapping[str, Any], service: str) -> bool:
    if "NotPrincipal" in statement:
        return service not in _listed(statement["NotPrincipal"].get("Service", []))
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    named = {name for kind in _SERVICES for name in _listed(principal.get(kind, []))}
    return "*" in named or service in named


def _matches(statement: Mapping[str, Any], what: str, value: str) -> bool:
    """Return whether *statement* covers *value*; *what* is ``Action`` or ``Resource``."""
    lower = value.lower() if what == "Action" else value
    excluded = _listed(statement.get(f"Not{what}", []))
    if excluded:
        return not any(_glob(lower, each, what) for each in excluded)
    return any(_glob(lower, each, what) for each in _listed(statement.get(what, [])))


def _glob(value: str, pattern: str, what: str) -> bool:
    pattern = pattern.lower() if what == "Action" else pattern
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield operator, key and values of each condition; operator and key are in lower case."""
    for operator, pairs in statement.get("Condition", {}).items():
        for key, values in pairs.items():
            yield operator.lower(), key.lower(), _listed(values)


def _holds(operator: str, key: str, values: Sequence[str], request: PolicyQuestion) -> Verdict:
    quantifier, _, named = operator.rpartition(":")
    plain = named.removesuffix("ifexists")
    if key in _ABSENT:
        return _holds_without_key(quantifier, named, values)
    if plain == "bool" and key in _ALWAYS:
        return "yes" if values == ["true"] else "no"
    known = {
        "aws:sourcearn": request.source,
        "aws:sourceaccount": request.account,
        "aws:principalservicename": request.service,
    }.get(key)
    if not known or plain not in _EQUALS | _DIFFERS:
        return "unknown"
    found = any(_glob(known, each, "value") for each in values)
    return "yes" if found == (plain in _EQUALS) else "no"


_ALWAYS = {"aws:securetransport", "aws:principalisawsservice"}  # true of AWS's own services


def _holds_without_key(quantifier: str, operator: str, values: Sequence[str]) -> Verdict:
    """Return whether a condition on a key that the request lacks holds."""
    if operator == "null":
        return "yes" if values == ["true"] else "no"
    if quantifier == "foranyvalue":
        return "no"
    absent = operator.endswith("ifexists") or operator in _DIFFERS or quantifier == "forallvalues"
    return "yes" if absent else "no"


def _listed(value: Any) -> list[str]:
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in (
        value if isinstance(value, list) else [value])]  # fmt: skip
