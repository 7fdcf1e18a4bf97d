"""The source's credentials: whose they are, when they expire, and the clock that signs."""

from collections.abc import Iterator
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from trailcourier.aws import calls, faults, sessions
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.aws.sessions import KeysInUse
from trailcourier.doctor import aws_findings, deadlines, prerequisites
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import NOT_REACHED, Subject

PATIENCE = 8.0  # seconds to get keys: the metadata service may take three attempts
SKEW_REJECTED = 300  # seconds; AWS rejects signatures that are further off
SKEW_NOTICED = 30  # seconds
EXPIRES_SOON = 900  # seconds
FROM = {
    "env": "the environment",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "iam-role": "the instance profile",
    "container-role": "the container's role",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a role assumed with a web identity",
    "custom-process": "credential_process",
    "iam-user": "the configuration",
}

ENTRIES: Entries = {
    "TC201": CatalogueEntry(
        "Whose credentials are these?",
        ("ok", "not-checked"),
        "Their ARN and account as AWS reports them, their kind, their origin and their expiry. "
        "Compare the ARN with the one your policies name. It stays unknown if STS cannot be "
        "called; doctor checks the queue regardless.",
    ),
    "TC202": CatalogueEntry(
        "Are there any credentials?",
        ("error",),
        "None were found where `credentials` of the source says, or the service that issues them "
        "did not answer. In a container on EC2 the metadata service answers only if its hop limit "
        "is 2.",
    ),
    "TC203": CatalogueEntry(
        "Does AWS accept the credentials?",
        ("error",),
        "AWS does not know the access key (it was deleted, is inactive, or is from another "
        "partition), or the secret or session token does not belong to it.",
    ),
    "TC204": CatalogueEntry(
        "Are the credentials still valid?",
        ("warning", "error"),
        "Temporary keys have expired, or will expire and nothing renews them. Keys of a role, a "
        "profile or an instance are renewed automatically.",
    ),
    "TC205": CatalogueEntry(
        "Is this machine's clock right?",
        ("ok", "not-checked", "warning", "error"),
        "Compared with the date in AWS's answer. AWS rejects signatures that are more than five "
        "minutes off (S3: fifteen). Set the clock by NTP.",
    ),
    "TC206": CatalogueEntry(
        "Can the role be assumed?",
        ("error",),
        "STS denied it. Its answer is the same for four causes: the caller lacks "
        "`sts:AssumeRole`, the role's trust policy does not name the caller, the external id "
        "differs, or the role does not exist. The finding prints both policy statements.",
    ),
    "TC207": CatalogueEntry(
        "Are the credentials from the queue's partition?",
        ("ok", "error"),
        "It is an error if they are from another partition (aws, aws-us-gov, aws-cn): credentials "
        "are valid in one partition only. Another account is not an error, but then the policies "
        "of both accounts have to allow each call.",
    ),
    "TC208": CatalogueEntry(
        "Can the lent profile look?",
        ("ok", "warning"),
        "Only with `--profile`: whose profile it is. Doctor looks with it where AWS denies the "
        "source's own credentials. It never receives, deletes or reads objects with it, so those "
        "findings are about the source alone.",
    ),
}


@prerequisites.skip_after_errors("TC001", reports="TC201")
def check_identity(subject: Subject) -> Iterator[Finding]:
    """Check whether there are credentials, whose they are, and whether AWS accepts them."""
    cause = subject.blocked_by("sts", _sts_region(subject))
    if cause and subject.source.credentials.kind == "assume-role":
        subject.block_all_calls(cause)
        yield aws_findings.blocked_finding("TC201", cause)
        return
    try:
        seconds = subject.shared.seconds_left(PATIENCE)
        holding = deadlines.run_within(seconds, lambda: sessions.describe_keys(subject.session))
    except TimeoutError:
        used = subject.source.credentials
        text = f"credentials ({used.kind}): their issuer did not answer within {PATIENCE:.0f} s"
        subject.block_all_calls("TC202")
        yield Finding("error", "TC202", text, aws_findings.missing_credentials_fix(used))
        return
    except faults.AWS_ERRORS as error:
        finding = _no_credentials(subject, error)
        subject.block_all_calls(finding.id)
        yield finding
        return
    caller = subject.ask_once(AwsCall("sts", "GetCallerIdentity", _sts_region(subject), "*"))
    if caller.good:
        subject.principal = caller.response["Arn"]
        yield Finding("ok", "TC201", _describe_caller(subject, caller, holding))
        yield from _check_partition(subject, caller)
        yield from _check_expiry(holding)
    else:
        yield _caller_unknown(subject, caller)
    yield from _check_clock(subject, caller)
    if subject.lent.profile:
        yield _check_profile(subject)


def _check_profile(subject: Subject) -> Finding:
    """Check whose the lent profile is, and whether AWS accepts its keys."""
    call = AwsCall("sts", "GetCallerIdentity", _sts_region(subject), "*")
    answer = subject.lent.introduce(call, subject.shared.seconds_left(PATIENCE))
    name = subject.lent.profile
    if answer.fault is not None:
        text = f"the profile {name} cannot look: {answer.fault.detail}"
        fix = "Name a profile that `aws sts get-caller-identity --profile NAME` accepts."
        return Finding("warning", "TC208", text, fix)
    text = f"the profile {name}, {answer.response['Arn']}, looks where AWS denies the source"
    return Finding("ok", "TC208", text)


def _sts_region(subject: Subject) -> str:
    return subject.source.credentials.sts_region or subject.source.queue.region


def _describe_caller(subject: Subject, caller: AwsAnswer, holding: KeysInUse) -> str:
    kind = subject.source.credentials.kind
    source = FROM.get(holding.method, holding.method)
    ends = f", until {holding.ends:%Y-%m-%d %H:%M}Z, then renewed" if holding.ends else ""
    return (
        f"{caller.response['Arn']}, account {caller.response['Account']}; kind {kind}, "
        f"from {source}"
        f"{', temporary' if holding.temporary else ''}{ends}"
    )


def _caller_unknown(subject: Subject, caller: AwsAnswer) -> Finding:
    """Return the finding if STS does not say whose credentials these are."""
    if caller.denied:
        detail = caller.fault.detail if caller.fault else ""
        text = f"whose credentials these are is not known: {detail}"
        fix = "Allow sts:GetCallerIdentity: a policy of a VPC endpoint or organisation denies it."
        return Finding("not-checked", "TC201", text, fix)
    # only a role needs STS to deliver; the queue's answers show whether AWS accepts other keys
    return aws_findings.failure_finding(subject, caller, "TC201", "not-checked")


def _check_partition(subject: Subject, caller: AwsAnswer) -> Iterator[Finding]:
    queue = subject.source.queue
    ours = caller.response["Arn"].split(":")[1]
    if ours != queue.partition:
        text = f"the credentials are of partition {ours}, the queue is in {queue.partition}"
        fix = f"Use credentials of an account in {queue.partition}: each is valid in one only."
        yield Finding("error", "TC207", text, fix)
    elif queue.account and caller.response["Account"] != queue.account:
        text = (
            f"the credentials belong to account {caller.response['Account']}, the queue to "
            f"{queue.account}: the policies of both accounts have to allow each call"
        )
        yield Finding("ok", "TC207", text)


def _check_expiry(holding: KeysInUse) -> Iterator[Finding]:
    if not holding.temporary:
        return
    fix = "Let `credentials` name a role, a profile or the instance's role: those renew their keys."
    if holding.ends is None:
        text = "the keys are temporary, and nothing renews them when they expire"
        yield Finding("warning", "TC204", text, fix)
    elif (holding.ends - datetime.now(UTC)).total_seconds() < EXPIRES_SOON:
        text = f"the keys expire at {holding.ends:%H:%M}Z and were not renewed in time"
        yield Finding("warning", "TC204", text, fix)


def _check_clock(subject: Subject, caller: AwsAnswer) -> Iterator[Finding]:
    if caller.skew is None:
        if caller.good:
            yield Finding(
                "not-checked", "TC205", "AWS's answer had no date to compare the clock with"
            )
        return
    if subject.errors("TC205"):
        return
    ahead, text = abs(caller.skew), aws_findings.describe_clock(caller.skew)
    if ahead >= SKEW_REJECTED:
        yield Finding("error", "TC205", text, aws_findings.CLOCK_FIX)
    elif ahead >= SKEW_NOTICED:
        yield Finding("warning", "TC205", text, aws_findings.CLOCK_FIX)
    else:
        yield Finding("ok", "TC205", text)


def _no_credentials(subject: Subject, error: Exception) -> Finding:
    """Return the finding for credentials that could not be got: why, and what their kind needs."""
    used = subject.source.credentials
    if not isinstance(error, ClientError):
        what = f"sources.{subject.name}.credentials ({used.kind})"
        fault = faults.to_fault(error, what=what, where="sts")
        if fault.reason in NOT_REACHED:
            return aws_findings.no_answer_finding(fault)
        return aws_findings.credentials_finding(used, frozenset(), fault)
    call = AwsCall("sts", "AssumeRole", _sts_region(subject), used.role_arn or "*")
    return aws_findings.failure_finding(subject, calls.failure(call, error), "TC206")
