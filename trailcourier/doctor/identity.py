"""As whom the source speaks: keys, their owner, their end, and the clock they are signed with."""

from collections.abc import Iterator
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.aws import Holding
from trailcourier.doctor import bounded, order, trouble
from trailcourier.doctor.call import Answer, Call, failed
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import UNHEARD, Subject

PATIENCE = 8.0  # seconds for keys: the metadata service is asked three times
SKEW_REFUSED = 300  # seconds from which AWS takes no signature
SKEW_NOTICED = 30
SOON = 900  # seconds
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

TOLD: Entries = {
    "TC201": Entry(
        "Whose credentials are these?",
        ("ok", "unproved"),
        "The ARN and account AWS knows them by, their kind, where they are from, and their end. "
        "Compare the ARN with the one your policies name. Not known where STS cannot be asked; the "
        "queue is looked at regardless.",
    ),
    "TC202": Entry(
        "Are there any credentials?",
        ("error",),
        "None were found where `credentials` of the source says, or whoever issues them did not "
        "answer. In a container on EC2 the metadata service answers only with a hop limit of 2.",
    ),
    "TC203": Entry(
        "Does AWS take them?",
        ("error",),
        "AWS knows no such key (it was deleted, is inactive, or is of another partition), or the "
        "secret or session token does not belong to it.",
    ),
    "TC204": Entry(
        "Are they still good?",
        ("warning", "error"),
        "Temporary keys that have ended, or that will end and nothing renews. A role, a profile or "
        "the instance's own renew themselves.",
    ),
    "TC205": Entry(
        "Is this machine's clock right?",
        ("ok", "unproved", "warning", "error"),
        "Compared with the date in AWS's answer. AWS takes no signature that is more than five "
        "minutes off (S3: fifteen). Let NTP set the clock.",
    ),
    "TC206": Entry(
        "May the role be assumed?",
        ("error",),
        "STS said no. It does not tell apart: the caller lacks `sts:AssumeRole`, the role's trust "
        "policy does not name the caller, the external id differs, the role does not exist. The "
        "finding prints both statements.",
    ),
    "TC207": Entry(
        "Do they belong beside the queue?",
        ("ok", "error"),
        "An error where they are of another partition (aws, aws-us-gov, aws-cn): none are good in "
        "two. Another account is no error, but then both accounts have to allow what is done.",
    ),
}


@order.after("TC001", says="TC201")
def look(subject: Subject) -> Iterator[Finding]:
    """Look whether there are keys, whose they are, and whether AWS takes them."""
    first = subject.kept_from("sts", _sts(subject))
    if first and subject.source.credentials.kind == "assume-role":
        subject.keep_silent(first)
        yield trouble.behind("TC201", first)
        return
    try:
        seconds = subject.shared.left(PATIENCE)
        held = bounded.within(seconds, lambda: aws.holding(subject.session))
    except TimeoutError:
        kind = subject.source.credentials.kind
        text = f"credentials ({kind}): whoever issues them did not answer in {PATIENCE:.0f} s"
        subject.keep_silent("TC202")
        yield Finding("error", "TC202", text, trouble.missing(subject.source.credentials))
        return
    except aws.ERRORS as error:
        found = _refused(subject, error)
        subject.keep_silent(found.id)
        yield found
        return
    said = subject.ask_once(_who(subject))
    if said.good:
        subject.principal = said.said["Arn"]
        yield Finding("ok", "TC201", _whose(subject, said, held))
        yield from _partition(subject, said)
        yield from _end(held)
    else:
        yield _unknown(subject, said)
    yield from _clock(subject, said)


def _who(subject: Subject) -> Call:
    return Call("sts", "get_caller_identity", _sts(subject), "sts:GetCallerIdentity", "*")


def _sts(subject: Subject) -> str:
    return subject.source.credentials.sts_region or subject.source.queue.region


def _whose(subject: Subject, said: Answer, held: Holding) -> str:
    kind = subject.source.credentials.kind
    source = FROM.get(held.method, held.method)
    ends = f", until {held.ends:%Y-%m-%d %H:%M}Z, then renewed" if held.ends else ""
    return (
        f"{said.said['Arn']}, account {said.said['Account']}; kind {kind}, from {source}"
        f"{', temporary' if held.temporary else ''}{ends}"
    )


def _unknown(subject: Subject, said: Answer) -> Finding:
    """Whose keys they are is not known; only sometimes is that an error."""
    if said.denied:
        detail = said.fault.detail if said.fault else ""
        text = f"whose credentials these are cannot be asked: {detail}"
        fix = "A policy of a VPC endpoint or organisation denies sts:GetCallerIdentity; allow it."
        return Finding("unproved", "TC201", text, fix)
    # only a role needs STS to carry; the others are taken or not by the queue itself
    return trouble.told(subject, said, "TC201", "unproved")


def _partition(subject: Subject, said: Answer) -> Iterator[Finding]:
    queue = subject.source.queue
    ours = said.said["Arn"].split(":")[1]
    if ours != queue.partition:
        text = f"the credentials are of partition {ours}, the queue is in {queue.partition}"
        fix = f"Use credentials of an account in {queue.partition}: none is good in two partitions."
        yield Finding("error", "TC207", text, fix)
    elif queue.account and said.said["Account"] != queue.account:
        text = (
            f"the credentials are of account {said.said['Account']}, the queue of {queue.account}: "
            "what they may do has to be allowed by both accounts' policies"
        )
        yield Finding("ok", "TC207", text)


def _end(held: Holding) -> Iterator[Finding]:
    if not held.temporary:
        return
    fix = "Let `credentials` name what renews itself: a role, a profile, the instance's own."
    if held.ends is None:
        text = "the keys are temporary, and nothing here renews them when they end"
        yield Finding("warning", "TC204", text, fix)
    elif (held.ends - datetime.now(UTC)).total_seconds() < SOON:
        text = f"the keys end at {held.ends:%H:%M}Z and were not renewed in time"
        yield Finding("warning", "TC204", text, fix)


def _clock(subject: Subject, said: Answer) -> Iterator[Finding]:
    if said.skew is None:
        if said.good:
            yield Finding("unproved", "TC205", "AWS's answer carried no date to set a clock by")
        return
    if subject.errors("TC205"):
        return
    ahead, text = abs(said.skew), trouble.clock(said.skew)
    if ahead >= SKEW_REFUSED:
        yield Finding("error", "TC205", text, trouble.CLOCK_FIX)
    elif ahead >= SKEW_NOTICED:
        yield Finding("warning", "TC205", text, trouble.CLOCK_FIX)
    else:
        yield Finding("ok", "TC205", text)


def _refused(subject: Subject, error: Exception) -> Finding:
    """There are no keys: say why, and what their kind needs."""
    given = subject.source.credentials
    if not isinstance(error, ClientError):
        what = f"sources.{subject.name}.credentials ({given.kind})"
        fault = aws.fault(error, what=what, where="sts")
        if fault.reason in UNHEARD:
            return trouble.silent(fault)
        return trouble.of_keys(given, frozenset(), fault)
    asked = Call("sts", "assume_role", _sts(subject), "sts:AssumeRole", given.role_arn or "*")
    return trouble.told(subject, failed(asked, error), "TC206")
