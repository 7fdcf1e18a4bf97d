"""How the queue keeps messages: visibility, retention, dead-letter queue and encryption."""

from collections.abc import Iterator
from datetime import timedelta

from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import aws_findings, broker, prerequisites, queue, statements
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject

SHORT = 60  # seconds; a lease is extended when half of it is over
SHORT_UNEXTENDED = 600  # seconds
FEW_RECEIVES = 5
LONGEST = 1_209_600  # seconds; SQS's longest retention, 14 days
MANAGED = "alias/aws/sqs"
PROVEN = frozenset({"DryRunOperationException", "DryRunOperation"})
UNUSABLE = frozenset(
    {
        "DisabledException",
        "KMSInvalidStateException",
        "NotFoundException",
        "KeyUnavailableException",
    }
)

ENTRIES: Entries = {
    "TC307": CatalogueEntry(
        "Are messages received for long enough?",
        ("ok", "not-checked", "warning"),
        "The line sets the visibility when it receives (`line.visibility`, or "
        "`line.visibility_degraded` if it cannot extend leases); the queue's own value is not "
        "used. If the ledger counts lost leases, the visibility is too short for the time that "
        "objects take here, or the control worker could not extend the leases in time.",
    ),
    "TC308": CatalogueEntry(
        "Does the queue have a dead-letter queue?",
        ("ok", "not-checked", "warning"),
        "Without a redrive policy SQS redelivers a message that cannot be settled until its "
        "retention ends, and then drops it. Set `maxReceiveCount` to 10: an outage costs one "
        "receive in twelve hours. A message keeps its age when it moves, so the dead-letter queue "
        "needs a longer retention, or 14 days, which is SQS's maximum.",
    ),
    "TC309": CatalogueEntry(
        "Does the dead-letter queue hold messages?",
        ("ok", "not-checked", "warning"),
        "These messages could not be settled. `trailcourier dlq list` shows why. When the cause "
        "is repaired, `trailcourier dlq redrive` moves them back, and the line processes them "
        "again.",
    ),
    "TC310": CatalogueEntry(
        "Can the source use the key that encrypts the queue?",
        ("ok", "not-checked", "warning", "error"),
        "A customer key has to be enabled, and the source's credentials need `kms:Decrypt` on it; "
        "doctor tries that by a dry run. The policy of the AWS-managed key `alias/aws/sqs` cannot "
        "be changed, so SNS and S3 cannot send to a queue that it encrypts: use SQS's own "
        "encryption (SSE-SQS) or a customer key.",
    ),
}


@prerequisites.skip_after_errors(*prerequisites.QUEUE_ERRORS, reports="TC307")
def check_retention(subject: Subject) -> Iterator[Finding]:
    """Check how the queue keeps its messages."""
    answer = queue.ask_attributes(subject)
    if answer.blocked_by:
        yield aws_findings.blocked_finding("TC307", answer.blocked_by)
        return
    yield _check_visibility(subject)
    if not answer.good:
        return
    attributes = Attributes(answer)
    yield from _check_redrive_policy(subject, attributes)
    yield from _check_key(subject, attributes)


def _check_visibility(subject: Subject) -> Finding:
    numbers, state = subject.shared.settings.numbers, broker.read_source_state(subject)
    unextended = any(each.id == "TC305" and each.level == "warning" for each in subject.findings)
    seconds = numbers.visibility_degraded if unextended else numbers.visibility
    key = "line.visibility_degraded" if unextended else "line.expert.visibility"
    lost = state.sums.get("leases:lost", 0) if state else 0
    if lost and state:
        text = (
            f"{lost} leases were lost while their objects were processed, and {_settled(state)} "
            f"messages were settled: {seconds} s ({key}) is too short for objects here"
        )
        fix = f"Raise `{key}`; keep a control worker running; allow it to extend leases (TC305)."
        return Finding("warning", "TC307", text, fix)
    if seconds < (SHORT_UNEXTENDED if unextended else SHORT):
        text = (
            f"messages are received for {seconds} s ({key}): an object that takes longer is redone"
        )
        return Finding("warning", "TC307", text, f"Remove `{key}` from the configuration.")
    extended = "without extension" if unextended else "and extended while objects are processed"
    text = f"messages are received for {seconds} s {extended}; the queue's own value is not used"
    if state and _settled(state):
        return Finding(
            "ok", "TC307", f"{text}; {_settled(state)} were settled and no lease was lost"
        )
    text = f"{text}; how long objects take here is not known yet"
    return Finding("not-checked", "TC307", text, "Run doctor again when messages were settled.")


def _settled(state: broker.SourceState) -> int:
    return state.sums.get("messages:deleted", 0)


def _check_redrive_policy(subject: Subject, attributes: Attributes) -> Iterator[Finding]:
    policy = attributes.table("RedrivePolicy")
    if not policy:
        text = "the queue has no dead-letter queue: SQS drops a bad message when its retention ends"
        fix = "Create a queue, and a redrive policy that names it, with maxReceiveCount 10."
        yield Finding("warning", "TC308", text, fix)
        return
    arn, times = str(policy.get("deadLetterTargetArn")), str(policy.get("maxReceiveCount"))
    name, most = arn.rpartition(":")[2], int(times) if times.isdecimal() else None
    if most is None or not arn.startswith("arn:"):
        text = "the redrive policy does not have SQS's form, so the dead-letter queue is not known"
        fix = "Set a redrive policy as AWS documents it: deadLetterTargetArn and maxReceiveCount."
        yield Finding("not-checked", "TC308", text, fix)
        return
    if most < FEW_RECEIVES:
        text = f"after {most} receives a message moves to {name}: a few restarts suffice for that"
        yield Finding("warning", "TC308", text, "Set maxReceiveCount to 10.")
        return
    dead_answer = subject.ask_once(_dead_letter_call(subject, arn))
    if dead_answer.good:
        yield from _check_dead_letter_queue(subject, attributes, dead_answer, most)
    elif dead_answer.denied:
        lost = f"after {most} receives a message moves to {name}, whose messages are not known"
        yield statements.denial_finding(subject, dead_answer, "TC308", "not-checked", lost)
    elif dead_answer.fault and dead_answer.fault.reason == "no-such-queue":
        text = f"the redrive policy names {arn}, which does not exist"
        yield Finding(
            "warning",
            "TC308",
            text,
            "Create that queue, or name one that exists in the redrive policy.",
        )
    else:
        yield aws_findings.failure_finding(subject, dead_answer, "TC308", "not-checked")


def _dead_letter_call(subject: Subject, arn: str) -> AwsCall:
    ours, name = subject.source.queue, arn.rpartition(":")[2]
    url = f"{ours.url.rpartition('/')[0]}/{name}"
    if account := statements.arn_account(arn):
        url = url.replace(f"/{ours.account}/", f"/{account}/") if ours.account else url
    given = {"QueueUrl": url, "AttributeNames": ["All"]}
    return AwsCall("sqs", "GetQueueAttributes", ours.region, arn, given)


def _check_dead_letter_queue(
    subject: Subject, attributes: Attributes, dead_answer: AwsAnswer, most: int
) -> Iterator[Finding]:
    theirs, name = Attributes(dead_answer), dead_answer.call.resource.rpartition(":")[2]
    kept, longer = (each.number("MessageRetentionPeriod") for each in (attributes, theirs))
    moves = f"after {most} receives a message moves to {name}"
    if kept is None or longer is None:
        text = f"{moves}; the retention of one of the two queues is not known"
        fix = f"Check that {name} has the longer retention of the two, or 14 days."
        yield Finding("not-checked", "TC308", text, fix)
    elif longer <= kept and longer < LONGEST:
        text = (
            f"{name} keeps messages for {_days(longer)} and the queue for {_days(kept)}: a message "
            "keeps its age when it moves, so SQS drops an old one at once"
        )
        yield Finding("warning", "TC308", text, f"Set the message retention of {name} to 14 days.")
    else:
        yield Finding("ok", "TC308", f"{moves}, kept up to {_days(longer)}")
    count = theirs.number("ApproximateNumberOfMessages")
    if count is None:
        text = f"{name} does not report how many messages it holds"
        yield Finding("not-checked", "TC309", text, _redrive_fix(subject))
    elif count:
        text = f"messages in the dead-letter queue {name}: {count}"
        yield Finding("warning", "TC309", text, _redrive_fix(subject))
    else:
        yield Finding("ok", "TC309", f"the dead-letter queue {name} is empty")


def _redrive_fix(subject: Subject) -> str:
    option = f"--source {subject.name}"
    return (
        f"`trailcourier dlq list {option}` shows them and why; when the cause is repaired, "
        f"`trailcourier dlq redrive {option}` moves them back."
    )


def _days(seconds: int) -> str:
    days = timedelta(seconds=seconds) / timedelta(days=1)
    return f"{days:.3g} days"


def _check_key(subject: Subject, attributes: Attributes) -> Iterator[Finding]:
    key = attributes.text("KmsMasterKeyId")
    if subject.errors("TC310"):  # an SQS call failed because of the key, and that is reported
        return
    if not key:
        managed = attributes.text("SqsManagedSseEnabled") == "true"
        how = "encrypts messages with SQS's own keys" if managed else "does not encrypt messages"
        yield Finding("ok", "TC310", f"the queue {how}, so the source needs no key permission")
        return
    if key.endswith(MANAGED):
        arriving = bool(attributes.number("ApproximateNumberOfMessages"))
        text = f"the queue is encrypted with {MANAGED}, so SNS and S3 cannot send to it"
        fix = "Encrypt the queue with SQS's own keys (SSE-SQS), or a customer key that allows both."
        yield Finding("warning" if arriving else "error", "TC310", text, fix)
        return
    yield from _check_customer_key(subject, key)


def _check_customer_key(subject: Subject, key: str) -> Iterator[Finding]:
    ours = subject.source.queue
    arn = key
    if not key.startswith("arn:"):
        name = key if key.startswith("alias/") else f"key/{key}"
        arn = f"arn:{ours.partition}:kms:{ours.region}:{ours.account}:{name}"
    dry = {"KeyId": key, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    answer = subject.ask_once(AwsCall("kms", "Decrypt", ours.region, arn, dry))
    if answer.codes & PROVEN:
        yield Finding("ok", "TC310", f"a dry run of kms:Decrypt with {arn} succeeded")
    elif answer.codes & UNUSABLE:
        text = (
            f"the key that encrypts the queue is unusable: {answer.fault and answer.fault.detail}"
        )
        fix = f"Enable the key {arn}, or encrypt the queue with another."
        yield Finding("error", "TC310", text, fix)
    elif answer.denied:
        lost = "SQS cannot decrypt messages for the source, so none arrives"
        yield statements.denial_finding(subject, answer, "TC310", "error", lost)
    else:
        yield _check_key_state(subject, key, arn)


def _check_key_state(subject: Subject, key: str, arn: str) -> Finding:
    """Check the state of the key, if KMS did not answer the dry run."""
    region = subject.source.queue.region
    answer = subject.ask_once(AwsCall("kms", "DescribeKey", region, arn, {"KeyId": key}))
    if answer.codes & UNUSABLE:
        text = (
            f"the key that encrypts the queue is unusable: {answer.fault and answer.fault.detail}"
        )
        return Finding("error", "TC310", text, "Encrypt the queue with a key that exists.")
    if not answer.good:
        lost = "whether the queue's key is enabled is not known"
        return aws_findings.not_seen_finding(subject, answer, "TC310", lost)
    state = answer.response.get("KeyMetadata", {}).get("KeyState", "in an unknown state")
    if state != "Enabled":
        text = f"the key that encrypts the queue is {state}: {arn}"
        return Finding(
            "error", "TC310", text, "Enable the key; until then SQS delivers no message."
        )
    text = f"the queue's key {arn} is enabled; whether it allows kms:Decrypt is not known"
    return Finding(
        "not-checked", "TC310", text, statements.permission_fix(subject, ["kms:Decrypt"], arn)
    )
