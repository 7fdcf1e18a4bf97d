"""How the queue keeps its messages: for how long, encrypted by what, and where bad ones go."""

from collections.abc import Iterator
from datetime import timedelta

from trailcourier.doctor import broker, order, queue, statements, trouble
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject

SHORT = 60  # seconds; half of it is left for an extension
SHORT_UNEXTENDED = 600
FEW_RECEIVES = 5
LONGEST = 1_209_600  # seconds; SQS keeps nothing for longer
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

TOLD: Entries = {
    "TC307": Entry(
        "Are messages held long enough?",
        ("ok", "unproved", "warning"),
        "The line asks for its own visibility at receive (`line.visibility`, or "
        "`line.visibility_degraded` where it cannot be extended); the queue's own value is not "
        "used. Messages that were lost while at work, by the ledger's count, say that it is too "
        "short for what files take here, or that the control worker could not extend in time.",
    ),
    "TC308": Entry(
        "Where do bad messages go?",
        ("ok", "unproved", "warning"),
        "Without a redrive policy a message that cannot be carried comes back until its retention "
        "ends, and is then gone. `maxReceiveCount` 10 is right: an outage costs one receive in "
        "twelve hours. A message keeps its age when it moves, so the dead-letter queue has to keep "
        "messages for longer, or for the 14 days that are the most there is.",
    ),
    "TC309": Entry(
        "Does anything lie in the dead-letter queue?",
        ("ok", "unproved", "warning"),
        "Messages that could not be carried. `trailcourier dlq list` says why; once that is "
        "repaired, `trailcourier dlq redrive` moves them back, and they are read anew.",
    ),
    "TC310": Entry(
        "Can the key that encrypts the queue be used?",
        ("ok", "unproved", "warning", "error"),
        "A customer key has to be enabled, and the source's credentials need `kms:Decrypt` on it; "
        "KMS is asked for a dry run. The AWS-managed key `alias/aws/sqs` cannot be given a policy, "
        "so SNS and S3 cannot send to a queue encrypted with it: use SQS's own encryption "
        "(SSE-SQS), or a customer key.",
    ),
}


@order.after(*order.KEYS, "TC301", "TC302", says="TC307")
def look(subject: Subject) -> Iterator[Finding]:
    """Look how the queue keeps its messages."""
    seen = queue.attributes(subject)
    if seen.behind:
        yield trouble.behind("TC307", seen.behind)
        return
    yield _held(subject)
    if not seen.good:
        return
    said = Attributes(seen)
    yield from _dead_letters(subject, said)
    yield from _key(subject, said)


def _held(subject: Subject) -> Finding:
    numbers, line = subject.shared.settings.line, broker.line(subject)
    unextended = any(each.id == "TC305" and each.level == "warning" for each in subject.found)
    seconds = numbers.visibility_degraded if unextended else numbers.visibility
    key = "line.visibility_degraded" if unextended else "line.visibility"
    lost = line.sums.get("leases:lost", 0) if line else 0
    if lost and line:
        text = (
            f"{lost} messages came back while their files were at work, {_settled(line)} were "
            f"settled: {seconds} s ({key}) are too short for what files take here"
        )
        fix = f"Raise `{key}`, see that a control worker always runs, allow its extensions (TC305)."
        return Finding("warning", "TC307", text, fix)
    if seconds < (SHORT_UNEXTENDED if unextended else SHORT):
        text = f"messages are received for {seconds} s ({key}): a file that takes longer is redone"
        return Finding("warning", "TC307", text, f"Leave `{key}` out; its default suits.")
    extended = "and cannot be extended" if unextended else "and extended while at work"
    text = f"messages are received for {seconds} s {extended}; the queue's own value is not used"
    if line and _settled(line):
        return Finding("ok", "TC307", f"{text}; none of {_settled(line)} was lost while at work")
    return Finding("unproved", "TC307", f"{text}; how long files take here is not known yet")


def _settled(line: broker.Line) -> int:
    return line.sums.get("messages:deleted", 0)


def _dead_letters(subject: Subject, said: Attributes) -> Iterator[Finding]:
    policy = said.table("RedrivePolicy")
    if not policy:
        text = "there is no dead-letter queue: a message that cannot be carried is lost in the end"
        fix = "Make a queue for them and a redrive policy to it with maxReceiveCount 10."
        yield Finding("warning", "TC308", text, fix)
        return
    arn, times = str(policy.get("deadLetterTargetArn")), str(policy.get("maxReceiveCount"))
    name, most = arn.rpartition(":")[2], int(times) if times.isdecimal() else None
    if most is None or not arn.startswith("arn:"):
        text = "the redrive policy is not of SQS's form, so where bad messages go is not seen"
        yield Finding("unproved", "TC308", text, "AWS's own SQS says it.")
        return
    if most < FEW_RECEIVES:
        text = f"after {most} receives a message moves to {name}: a few restarts are enough"
        yield Finding("warning", "TC308", text, "Set maxReceiveCount to 10.")
        return
    dead = subject.ask_once(_dead(subject, arn))
    if dead.good:
        yield from _dead_queue(subject, said, dead, most)
    elif dead.denied:
        lost = f"after {most} receives a message moves to {name}, and what lies there is not seen"
        yield statements.denied(subject, dead, "TC308", "unproved", lost)
    elif dead.fault and dead.fault.reason == "no-such-queue":
        text = f"the redrive policy names {arn}, which does not exist"
        yield Finding("warning", "TC308", text, "Make that queue, or name one that exists.")
    else:
        yield trouble.told(subject, dead, "TC308", "unproved")


def _dead(subject: Subject, arn: str) -> Call:
    ours, name = subject.source.queue, arn.rpartition(":")[2]
    url = f"{ours.url.rpartition('/')[0]}/{name}"
    if account := statements.account(arn):
        url = url.replace(f"/{ours.account}/", f"/{account}/") if ours.account else url
    given = {"QueueUrl": url, "AttributeNames": ["All"]}
    return Call("sqs", "get_queue_attributes", ours.region, "sqs:GetQueueAttributes", arn, given)


def _dead_queue(subject: Subject, said: Attributes, dead: Answer, most: int) -> Iterator[Finding]:
    theirs, name = Attributes(dead), dead.call.resource.rpartition(":")[2]
    kept, longer = (each.number("MessageRetentionPeriod") for each in (said, theirs))
    moves = f"after {most} receives a message moves to {name}"
    if kept is None or longer is None:
        text = f"{moves}; for how long both queues keep messages is not said"
        yield Finding("unproved", "TC308", text, f"See that {name} keeps them for longer.")
    elif longer <= kept and longer < LONGEST:
        text = (
            f"{name} keeps messages for {_days(longer)} and the queue for {_days(kept)}: one that "
            "moves late is gone at once, for it keeps its age"
        )
        yield Finding("warning", "TC308", text, f"Let {name} keep them for 14 days.")
    else:
        yield Finding("ok", "TC308", f"{moves}, kept up to {_days(longer)}")
    lie = theirs.number("ApproximateNumberOfMessages")
    if lie is None:
        yield Finding("unproved", "TC309", f"how much lies in {name} is not said", "Look there.")
    elif lie:
        text = f"{lie} messages lie in the dead-letter queue {name}"
        yield Finding("warning", "TC309", text, _redrive(subject))
    else:
        yield Finding("ok", "TC309", f"nothing lies in {name}")


def _redrive(subject: Subject) -> str:
    of = f"--source {subject.name}"
    return (
        f"`trailcourier dlq list {of}` says why; once that is repaired, `trailcourier dlq redrive "
        f"{of}` moves them back."
    )


def _days(seconds: int) -> str:
    days = timedelta(seconds=seconds) / timedelta(days=1)
    return f"{days:.3g} days"


def _key(subject: Subject, said: Attributes) -> Iterator[Finding]:
    key = said.text("KmsMasterKeyId")
    if subject.errors("TC310"):  # SQS itself said so
        return
    if not key:
        own = "with SQS's own keys" if said.text("SqsManagedSseEnabled") == "true" else "not at all"
        yield Finding("ok", "TC310", f"messages are encrypted {own}, which needs no permission")
        return
    if key.endswith(MANAGED):
        come = bool(said.number("ApproximateNumberOfMessages"))
        text = f"the queue is encrypted with {MANAGED}, to which SNS and S3 cannot send"
        fix = "Encrypt it with SQS's own keys (SSE-SQS), or with a customer key they may use."
        yield Finding("warning" if come else "error", "TC310", text, fix)
        return
    yield from _customer_key(subject, key)


def _customer_key(subject: Subject, key: str) -> Iterator[Finding]:
    ours = subject.source.queue
    arn = (
        key if key.startswith("arn:") else f"arn:{ours.partition}:kms:{ours.region}:{ours.account}:"
    )
    if not key.startswith("arn:"):
        arn += key if key.startswith("alias/") else f"key/{key}"
    dry = {"KeyId": key, "DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    asked = subject.ask_once(Call("kms", "decrypt", ours.region, "kms:Decrypt", arn, dry))
    if asked.codes & PROVEN:
        yield Finding("ok", "TC310", f"a dry run of kms:Decrypt with {arn} was allowed")
    elif asked.codes & UNUSABLE:
        text = f"the key that encrypts the queue is of no use: {asked.fault and asked.fault.detail}"
        yield Finding("error", "TC310", text, f"Enable {arn}, or encrypt the queue otherwise.")
    elif asked.denied:
        lost = "messages cannot be decrypted, so none is handed out"
        yield statements.denied(subject, asked, "TC310", "error", lost)
    else:
        yield _described(subject, key, arn)


def _described(subject: Subject, key: str, arn: str) -> Finding:
    """Say what the key's state alone tells, where KMS answers no dry run."""
    region = subject.source.queue.region
    asked = subject.ask_once(
        Call("kms", "describe_key", region, "kms:DescribeKey", arn, {"KeyId": key})
    )
    if asked.codes & UNUSABLE:
        text = f"the key that encrypts the queue: {asked.fault and asked.fault.detail}"
        return Finding("error", "TC310", text, "Encrypt the queue with a key that exists.")
    if not asked.good:
        lost = "whether the queue's key is enabled is not seen"
        return trouble.unseen(subject, asked, "TC310", lost)
    state = asked.said.get("KeyMetadata", {}).get("KeyState", "in a state that is not said")
    if state != "Enabled":
        text = f"the key that encrypts the queue is {state}: {arn}"
        return Finding("error", "TC310", text, "Enable it; until then no message is handed out.")
    text = f"the queue's key {arn} is enabled; whether it may be used for kms:Decrypt is not proved"
    return Finding("unproved", "TC310", text, statements.remedy(subject, ["kms:Decrypt"], arn))
