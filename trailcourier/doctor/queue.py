"""The queue: whether it exists and is the right one, and what the source may do with it.

No message is received or changed.  A permission that only a real call would prove is tried with a
parameter that cannot succeed: SQS then either denies the call or rejects the parameter.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import aws_findings, broker, denial_places, prerequisites, statements
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.text import age

NO_RECEIPT = {"ReceiptHandle": "trailcourier-doctor-has-no-receipt"}
REJECTED = frozenset(
    {
        *("InvalidParameterValue", "ReadCountOutOfRange", "ReceiptHandleIsInvalid"),
        *("InvalidIdFormat", "MessageNotInflight"),
    }
)

ENTRIES: Entries = {
    "TC301": CatalogueEntry(
        "Does the queue exist?",
        ("ok", "not-checked", "error"),
        "SQS has no queue of this name in this region and account. The URL is mistyped or names "
        "another region, or the queue was deleted. For a queue of another account, SQS answers "
        "the same whether it does not exist or allows nothing.",
    ),
    "TC302": CatalogueEntry(
        "Is it the queue that its URL names?",
        ("ok", "not-checked", "error"),
        "Region, account and name in the queue's ARN, compared with `queue_url` and "
        "`queue_region`. They can differ only if the URL is not on an AWS host.",
    ),
    "TC303": CatalogueEntry(
        "May the source receive messages?",
        ("ok", "not-checked", "error"),
        "Receiving a message would hide it from the line for a while and raise its receive count, "
        "so doctor asks for zero messages. A denial is certain. If SQS rejects the number, that is "
        "no denial, but AWS does not document whether it checks the permission first; a recent "
        "delivery by the workers is proof.",
    ),
    "TC304": CatalogueEntry(
        "May the source delete messages?",
        ("ok", "error"),
        "Tried with an invalid receipt. Without `sqs:DeleteMessage` SQS redelivers every message "
        "until it moves to the dead-letter queue.",
    ),
    "TC305": CatalogueEntry(
        "May the source change the visibility of messages?",
        ("ok", "warning"),
        "Tried with an invalid receipt. Without `sqs:ChangeMessageVisibility` Trailcourier works, "
        "but it receives messages for an hour (`line.visibility_degraded`) and cannot release one "
        "early.",
    ),
    "TC306": CatalogueEntry(
        "May the source read the queue's attributes?",
        ("not-checked",),
        "Without `sqs:GetQueueAttributes` Trailcourier works, but depth, dead-letter queue, "
        "encryption and policy of the queue stay unknown: doctor cannot check TC308 to TC312 and "
        "part of TC4.",
    ),
}


def receive_call(subject: Subject) -> AwsCall:
    return _call(subject, "ReceiveMessage", MaxNumberOfMessages=0)


def read_attributes(subject: Subject) -> Attributes:
    """Return the queue's attributes; empty if they cannot be read."""
    return Attributes(ask_attributes(subject))


def ask_attributes(subject: Subject) -> AwsAnswer:
    """Return SQS's answer for all attributes of the queue."""
    return subject.ask_once(_call(subject, "GetQueueAttributes", AttributeNames=["All"]))


@prerequisites.skip_after_errors(*prerequisites.CREDENTIAL_ERRORS, reports="TC301")
def check_queue(subject: Subject) -> Iterator[Finding]:
    """Check whether the queue exists, and what the source may do with it."""
    seen = ask_attributes(subject)
    receiving, deleting, changing = subject.ask_all(
        [
            receive_call(subject),
            _call(subject, "DeleteMessage", **NO_RECEIPT),
            _call(subject, "ChangeMessageVisibility", VisibilityTimeout=0, **NO_RECEIPT),
        ]
    )
    if not _queue_answered(receiving):
        yield _no_queue(subject, receiving)
        return
    yield _report_existence(subject, receiving, seen)
    yield _check_arn(subject, seen)
    yield _check_receive(subject, receiving)
    yield _check_delete(subject, deleting)
    yield _check_visibility(subject, changing)
    if denial := subject.lent.denial(seen):
        lost = f"the profile {subject.lent.profile} reads them instead"
        yield statements.denial_finding(subject, denial, "TC306", "not-checked", lost)
    elif not seen.good:
        lost = "depth, dead-letter queue, encryption and policy of the queue are not known"
        yield aws_findings.not_seen_finding(subject, seen, "TC306", lost)


def _call(subject: Subject, operation: str, **given: object) -> AwsCall:
    queue = subject.source.queue
    return AwsCall("sqs", operation, queue.region, queue.arn, {"QueueUrl": queue.url, **given})


def _queue_answered(answer: AwsAnswer) -> bool:
    """Return whether the queue itself answered, be it with a denial."""
    reason = answer.fault.reason if answer.fault else ""
    return answer.good or answer.denied or rejected_parameter(answer) or reason == "queue-key"


def rejected_parameter(answer: AwsAnswer) -> bool:
    """Return whether SQS rejected a parameter of the call, rather than denying the call."""
    return bool(answer.codes & REJECTED)


def _no_queue(subject: Subject, answer: AwsAnswer) -> Finding:
    if answer.fault is None or answer.fault.reason != "no-such-queue":
        return aws_findings.failure_finding(subject, answer, "TC301")
    queue = subject.source.queue
    text = f"there is no queue {queue.name} of account {queue.account} in {queue.region}"
    fix = f"Compare `queue_url` with the queue's URL in SQS. AWS: {answer.fault.detail}"
    other = subject.source.bucket_region
    if other and other != queue.region and _exists_in(subject, other):
        text = f"{text}; a queue of that name exists in {other}"
        fix = f"Set `queue_url` to the queue in {other}, or set `queue_region` if the URL has none."
    return Finding("error", "TC301", text, fix)


def _exists_in(subject: Subject, region: str) -> bool:
    """Return whether a queue of this name answers in *region*."""
    here = receive_call(subject)
    url = subject.source.queue.url.replace(subject.source.queue.region, region)
    answer = subject.ask_once(
        replace(here, region=region, parameters={**here.parameters, "QueueUrl": url})
    )
    return answer.good or rejected_parameter(answer)


def _report_existence(subject: Subject, receiving: AwsAnswer, seen: AwsAnswer) -> Finding:
    arn = subject.source.queue.arn
    if receiving.denied and seen.denied:
        text = f"whether {arn} exists is not known: AWS denied every call to it"
        return Finding("not-checked", "TC301", text, "Allow the calls that the next findings name.")
    return Finding("ok", "TC301", f"{arn} answers")


def _check_arn(subject: Subject, seen: AwsAnswer) -> Finding:
    queue = subject.source.queue
    actual = Attributes(seen).text("QueueArn")
    if not actual:
        if queue.endpoint is None:
            return Finding("ok", "TC302", f"`queue_url` is on AWS's own host in {queue.region}")
        text = "whether `queue_url` leads to the queue it names is not known without its attributes"
        return Finding("not-checked", "TC302", text, statements.permission_fix(
            subject, ["sqs:GetQueueAttributes"], queue.arn))  # fmt: skip
    ours = queue.arn
    if not queue.account:
        ours = ours.replace("::", f":{statements.arn_account(actual)}:")
    if actual == ours:
        return Finding("ok", "TC302", f"`queue_url` leads to {actual}, as it says")
    text = f"`queue_url` leads to {actual}, but names {ours}"
    fix = "Copy the queue's URL from SQS to `queue_url`, and set `queue_region` to its region."
    return Finding("error", "TC302", text, fix)


def _check_receive(subject: Subject, answer: AwsAnswer) -> Finding:
    if answer.denied:
        return statements.denial_finding(subject, answer, "TC303", "error", "no message arrives")
    if answer.fault and answer.fault.reason == "queue-key":
        key = denial_places.find_key(answer.fault.detail) or "that encrypts the queue"
        fix = f"Enable the KMS key {key}, or allow {subject.principal} kms:Decrypt on it."
        return Finding("error", "TC310", answer.fault.detail, fix)
    line = broker.read_source_state(subject)
    lately = line.standing.last_success_seconds if line else None
    if lately is not None and lately < broker.RECENT_SECONDS:
        return Finding("ok", "TC303", f"the workers delivered what they received {age(lately)} ago")
    if not answer.good and not rejected_parameter(answer):
        return aws_findings.failure_finding(subject, answer, "TC303")
    text = (
        "sqs:ReceiveMessage is not denied; only receiving a message would prove that it is "
        "allowed, and doctor receives none"
    )
    fix = "`trailcourier run --drain` receives the messages that wait, which proves it."
    return Finding("not-checked", "TC303", text, fix)


def _check_delete(subject: Subject, answer: AwsAnswer) -> Finding:
    if answer.denied:
        lost = "SQS redelivers every message until it moves to the dead-letter queue"
        return statements.denial_finding(subject, answer, "TC304", "error", lost)
    if answer.good or rejected_parameter(answer):
        text = (
            "sqs:DeleteMessage is allowed: SQS rejected only the invalid receipt that doctor sent"
        )
        return Finding("ok", "TC304", text)
    return aws_findings.failure_finding(subject, answer, "TC304")


def _check_visibility(subject: Subject, answer: AwsAnswer) -> Finding:
    if answer.denied:
        seconds = subject.shared.settings.line.visibility_degraded
        lost = (
            f"Trailcourier works, but it receives messages for {seconds} s, and can neither extend "
            "a lease nor release a message early"
        )
        return statements.denial_finding(subject, answer, "TC305", "warning", lost)
    if answer.good or rejected_parameter(answer):
        text = "sqs:ChangeMessageVisibility is allowed: SQS rejected only the invalid receipt"
        return Finding("ok", "TC305", text)
    return aws_findings.failure_finding(subject, answer, "TC305", "warning")
