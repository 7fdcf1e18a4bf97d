"""What an answer means that is not good: the same wherever it is met."""

from trailcourier import aws
from trailcourier.credentials import Credentials
from trailcourier.dispositions import advice
from trailcourier.doctor import statements
from trailcourier.doctor.call import Answer
from trailcourier.doctor.finding import Entries, Entry, Finding, Level
from trailcourier.doctor.subject import OUT_OF_TIME, SILENT, UNHEARD, Subject
from trailcourier.errors import Fault

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
KEYS = frozenset(
    {
        *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
        *("InvalidToken", "MissingAuthenticationToken", "NotSignedUp"),
    }
)
PASSING = frozenset({"throttled", "aws-error"})  # time repairs it, and nothing is known by it
FAILING = frozenset({"InternalError", "InternalFailure", "ServiceFailure"})  # of queues too

CLOCK_FIX = "Set this machine's clock (NTP): AWS takes signatures that are at most 5 minutes off."

TOLD: Entries = {
    "TC105": Entry(
        "Do AWS's services answer?",
        ("unproved", "warning", "error"),
        "A host took the connection and gave no answer in time, or one that is not AWS's: the "
        "page of a portal or a proxy, or another service's; its first bytes are shown. Look for a "
        "proxy that answers by itself or opens TLS, a firewall that lets connections begin and no "
        "more, at `AWS_ENDPOINT_URL`, and at the policy of a VPC endpoint.",
    ),
}


def told(subject: Subject, answer: Answer, id_: str, level: Level = "error") -> Finding:
    """Return the finding for *answer*; *id_* and *level* are for what has no cause of its own."""
    if answer.behind:
        return behind(id_, answer.behind)
    fault = answer.fault or Fault("s3-error", str(answer.call))
    if fault.reason == "clock-skew":
        text = f"{clock(answer.skew)}: {fault.detail}"
        return _said(subject, id_, Finding("error", "TC205", text, CLOCK_FIX))
    if fault.reason in aws.OF_KEYS:
        given = subject.as_whom(str(answer.call.given.get("Bucket", "")))
        return _said(subject, id_, of_keys(given, answer.codes, fault))
    if fault.reason in UNHEARD:
        return _said(subject, id_, silent(fault, level))
    if fault.reason in PASSING or answer.codes & FAILING:
        text = f"AWS did not answer this now: {fault.detail}"
        return Finding("unproved", id_, text, "Run doctor again in a minute.")
    return Finding(level, id_, fault.detail, "Look the code up; AWS's words say what it wants.")


def behind(id_: str, first: str) -> Finding:
    """Return the finding for what was not looked at because of another."""
    if first == OUT_OF_TIME:
        text, fix = "not looked at: the time was over", "See what was slow above; run doctor again."
    else:
        text, fix = f"not looked at: {first} comes first", f"Repair {first}, then run doctor again."
    return Finding("unproved", id_, text, fix)


def of_keys(given: Credentials, codes: frozenset[str], fault: Fault) -> Finding:
    """Return what AWS says of the keys of *given*, or that there are none."""
    if fault.reason == "instance-metadata":  # the service is there, and not heard
        return Finding("error", "TC202", fault.detail, advice(fault.reason))
    if codes & EXPIRED:
        fix = "Get new keys; better, let `credentials` name what renews itself: a role, a profile."
        return Finding("error", "TC204", fault.detail, fix)
    if not codes:
        return Finding("error", "TC202", fault.detail, missing(given))
    if given.role_arn and not codes & KEYS:
        text = f"{given.role_arn} may not be assumed: {fault.detail}"
        return Finding("error", "TC206", text, statements.trust(given))
    fix = (
        "See whether the access key still exists and is active (`aws iam list-access-keys`), and "
        "whether the secret belongs to it; a session key needs its session token."
    )
    return Finding("error", "TC203", fault.detail, fix)


def missing(given: Credentials) -> str:
    """Return what gives keys of the kind of *given*, where there are none."""
    match given.kind:
        case "instance-profile":
            return (
                "Attach an instance profile to this instance (`aws ec2 "
                "associate-iam-instance-profile`)."
            )
        case "iam-user":
            return "See that the variables and files that `credentials` names hold a key pair."
        case _:
            return (
                "Give AWS's default chain something: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "a profile, a container's or instance's role; or say which under "
                "[sources.NAME.credentials]."
            )


def unseen(subject: Subject, answer: Answer, id_: str, lost: str) -> Finding:
    """Return what it means that *answer* does not tell what was asked; *lost* is what is not seen.

    A denial names the statement that would show it.
    """
    if answer.denied:
        return statements.denied(subject, answer, id_, "unproved", lost)
    return told(subject, answer, id_, "unproved")


def clock(ahead: float | None) -> str:
    """Say how this machine's clock stands to AWS's."""
    if ahead is None:
        return "this clock is not AWS's"
    if abs(ahead) < 3:  # the date is in whole seconds, and its way takes time
        return "this clock agrees with AWS's"
    return f"this clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} AWS's"


def silent(fault: Fault, level: Level = "error") -> Finding:
    """Return the finding for who did not answer, or is not AWS."""
    if fault.reason == "not-aws":
        return Finding(level, SILENT, fault.detail, advice(fault.reason))
    fix = (
        "Something between takes the connection and does not carry the answer: a proxy, a "
        "firewall, a VPC endpoint's policy. `trailcourier doctor --hosts` lists what is asked."
    )
    return Finding(level, SILENT, fault.detail, fix)


def _said(subject: Subject, id_: str, found: Finding) -> Finding:
    """Return *found*, unless its like was said already."""
    return behind(id_, found.id) if subject.errors(found.id) else found
