"""Findings for calls to AWS that failed: the same for every check."""

from trailcourier.aws import faults
from trailcourier.aws.calls import AwsAnswer
from trailcourier.aws.credentials import Credentials
from trailcourier.doctor import statements
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding, Level
from trailcourier.doctor.subject import NO_ANSWER, NOT_REACHED, OUT_OF_TIME, Subject
from trailcourier.errors import Fault
from trailcourier.reasons import advice

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
KEYS = frozenset(
    {
        *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
        *("InvalidToken", "MissingAuthenticationToken", "NotSignedUp"),
    }
)
NOT_SIGNED_UP = frozenset({"NotSignedUp", "OptInRequired"})
PASSING = frozenset({"throttled", "aws-error"})  # pass by themselves, and prove nothing
FAILING = frozenset({"InternalError", "InternalFailure", "ServiceFailure"})  # SQS sends these too

CLOCK_FIX = (
    "Set this machine's clock by NTP: AWS rejects signatures that are more than 5 minutes off."
)

ENTRIES: Entries = {
    "TC105": CatalogueEntry(
        "Do AWS's services answer?",
        ("not-checked", "warning", "error"),
        "A host accepted the connection and did not answer in time, or its answer is not AWS's but "
        "the page of a portal, a proxy or another service; the finding shows its first bytes. "
        "Look for a proxy that answers by itself or intercepts TLS, for a firewall that lets "
        "connections open and then drops them, at `AWS_ENDPOINT_URL`, and at the policy of a VPC "
        "endpoint.",
    ),
    "TC106": CatalogueEntry(
        "Does S3 keep up with the requests?",
        ("error",),
        "S3 answered `SlowDown` to each attempt. It allows about 5,500 reads a second below one "
        "prefix, for all readers of the bucket together. Objects wait until it passes.",
    ),
}


def failure_finding(
    subject: Subject, answer: AwsAnswer, id_: str, level: Level = "error"
) -> Finding:
    """Return the finding for an *answer* that failed.

    A cause that has an id (clock, credentials, no answer) is reported under that id; any other
    under *id_* with *level*.
    """
    if answer.blocked_by:
        return blocked_finding(id_, answer.blocked_by)
    fault = answer.fault or Fault("s3-error", str(answer.call))
    if known := _known_cause(subject, answer, fault, level):
        return _finding_once(subject, id_, known)
    if fault.reason in PASSING or answer.codes & FAILING:
        text = f"AWS could not answer at this moment: {fault.detail}"
        return Finding("not-checked", id_, text, "Run doctor again in a minute.")
    fix = "Look up this error code in AWS's documentation of the call, and correct what it names."
    return Finding(level, id_, fault.detail, fix)


def _known_cause(subject: Subject, answer: AwsAnswer, fault: Fault, level: Level) -> Finding | None:
    """Return the finding for a cause that has an id of its own, else None."""
    if fault.reason == "clock-skew":
        text = f"AWS rejected the signature, and {describe_clock(answer.skew)}: {fault.detail}"
        return Finding("error", "TC205", text, CLOCK_FIX)
    # SNS and SQS have a code of their own for an account that is not active, which is no denial
    if fault.reason in faults.CREDENTIAL_REASONS or answer.codes & NOT_SIGNED_UP:
        used = subject.credentials_for(str(answer.call.parameters.get("Bucket", "")))
        return credentials_finding(used, answer.codes, fault)
    if fault.reason in NOT_REACHED:
        return no_answer_finding(fault, level)
    if fault.reason == "throttled" and answer.call.service == "s3":
        return _slow_down(fault)
    return None


def _slow_down(fault: Fault) -> Finding:
    text = f"S3 asks to slow down, also when asked again: {fault.detail}"
    fix = (
        "Find what sends so many requests to this bucket (its request metrics in CloudWatch, other "
        "readers of the log files), and slow that down. Trailcourier retries by itself."
    )
    return Finding("error", "TC106", text, fix)


def blocked_finding(id_: str, cause: str) -> Finding:
    """Return the finding for a check that was skipped because of the finding with id *cause*."""
    if cause == OUT_OF_TIME:
        text = "not checked: the time limit ended first"
        fix = "See which findings above report a timeout; run doctor again."
    else:
        text = f"not checked, because of {cause} above"
        fix = f"Repair {cause}, then run doctor again."
    return Finding("not-checked", id_, text, fix)


def credentials_finding(used: Credentials, codes: frozenset[str], fault: Fault) -> Finding:
    """Return the finding for credentials that AWS rejects, or that were not found (no *codes*)."""
    if fault.reason == "instance-metadata":  # the service exists and was not reached
        return Finding("error", "TC202", fault.detail, advice(fault.reason))
    if codes & EXPIRED:
        fix = "Get new keys; better, let `credentials` name a role or a profile: both renew them."
        return Finding("error", "TC204", fault.detail, fix)
    if codes & NOT_SIGNED_UP:
        fix = (
            "The account that owns the keys has to finish its registration with AWS: a payment "
            "method, the verification, or the activation of this region or service."
        )
        return Finding("error", "TC203", f"AWS has not activated the account: {fault.detail}", fix)
    if not codes:
        return Finding("error", "TC202", fault.detail, missing_credentials_fix(used))
    if used.role_arn and not codes & KEYS:
        text = f"the role {used.role_arn} cannot be assumed: {fault.detail}"
        return Finding("error", "TC206", text, statements.role_trust_fix(used))
    fix = (
        "Check that the access key still exists and is active (`aws iam list-access-keys`), and "
        "that the secret belongs to it; temporary keys need their session token too."
    )
    return Finding("error", "TC203", fault.detail, fix)


def missing_credentials_fix(used: Credentials) -> str:
    """Return how to provide keys of the kind that *used* names."""
    match used.kind:
        case "instance-profile":
            return (
                "Attach an instance profile to this instance (`aws ec2 "
                "associate-iam-instance-profile`)."
            )
        case "iam-user":
            return "Check that the variables or files that `credentials` names hold a key pair."
        case _:
            return (
                "Provide credentials for AWS's default chain: AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, a profile, or a container's or instance's role. Or "
                "configure them in [sources.NAME.credentials]."
            )


def not_seen_finding(subject: Subject, answer: AwsAnswer, id_: str, lost: str) -> Finding:
    """Return the finding for a failed *answer* that only leaves something unknown.

    *lost* says what is unknown.  If AWS denied the call, the fix is the policy statement that
    allows it.
    """
    if answer.denied:
        subject.denied.setdefault(id_, answer.call)
        return statements.denial_finding(subject, answer, id_, "not-checked", lost)
    return failure_finding(subject, answer, id_, "not-checked")


def describe_clock(ahead: float | None) -> str:
    """Say by how many seconds this machine's clock differs from AWS's; *ahead* may be negative."""
    if ahead is None:
        return "this machine's clock differs from AWS's"
    if abs(ahead) < 3:  # the Date header has whole seconds, and the answer takes time to arrive
        return "this machine's clock agrees with AWS's"
    direction = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {abs(ahead):.0f} s {direction} AWS's"


def no_answer_finding(fault: Fault, level: Level = "error") -> Finding:
    """Return the finding for a host that did not answer, or that is not AWS."""
    if fault.reason == "not-aws":
        return Finding(level, NO_ANSWER, fault.detail, advice(fault.reason))
    fix = (
        "Look for a proxy, a firewall or a VPC endpoint's policy that accepts the connection and "
        "drops the answer. `trailcourier doctor --hosts` lists the hosts that doctor connects to."
    )
    return Finding(level, NO_ANSWER, fault.detail, fix)


def _finding_once(subject: Subject, id_: str, finding: Finding) -> Finding:
    """Return *finding*; if that error was reported before, return that it blocks *id_*."""
    return blocked_finding(id_, finding.id) if subject.errors(finding.id) else finding
