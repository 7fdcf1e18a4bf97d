"""The queue: that it is there and the right one, and what the source may do with it.

No message is received: where only doing a thing would prove that it may be done, it is asked for in
a way that cannot succeed, and SQS objects to that or denies it.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from trailcourier.doctor import broker, order, statements, trouble
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.printable import age

NO_RECEIPT = "trailcourier-doctor-has-no-receipt"
OBJECTED = frozenset(
    {
        *("InvalidParameterValue", "ReadCountOutOfRange", "ReceiptHandleIsInvalid"),
        *("InvalidIdFormat", "MessageNotInflight"),
    }
)

TOLD: Entries = {
    "TC301": Entry(
        "Is there such a queue?",
        ("ok", "unproved", "error"),
        "SQS knows no queue of this name in this region and account. The URL was mistyped, is of "
        "another region, or the queue was deleted. A queue of another account that allows nothing "
        "answers like one that does not exist, and the other way round.",
    ),
    "TC302": Entry(
        "Is it the queue its URL names?",
        ("ok", "unproved", "error"),
        "Region, account and name of the queue's ARN, compared with `queue_url` and "
        "`queue_region`. They can differ only where the URL is not AWS's own.",
    ),
    "TC303": Entry(
        "May messages be received?",
        ("ok", "unproved", "error"),
        "Receiving one would take it away from the line for a while and count towards its move to "
        "the dead-letter queue, so zero are asked for. A denial is certain. An objection to the "
        "number is no denial, but AWS does not document which it looks at first; what the line "
        "received lately is proof.",
    ),
    "TC304": Entry(
        "May messages be deleted?",
        ("ok", "error"),
        "Asked with a receipt that is none. Without `sqs:DeleteMessage` every message comes back "
        "until it reaches the dead-letter queue.",
    ),
    "TC305": Entry(
        "May their visibility be changed?",
        ("ok", "warning"),
        "Asked with a receipt that is none. Without `sqs:ChangeMessageVisibility` Trailcourier "
        "works on, receives for an hour (`line.visibility_degraded`) and gives nothing back early.",
    ),
    "TC306": Entry(
        "Can the queue's attributes be seen?",
        ("unproved",),
        "Without `sqs:GetQueueAttributes` Trailcourier works, but nobody sees depth, dead-letter "
        "queue, encryption or the queue's policy: TC308 to TC312 and a part of TC4 are not told.",
    ),
}


def receive(subject: Subject) -> Call:
    return _call(subject, "receive_message", "sqs:ReceiveMessage", MaxNumberOfMessages=0)


def said(subject: Subject) -> Attributes:
    """Return what the queue says of itself; nothing where that may not be asked."""
    return Attributes(attributes(subject))


def attributes(subject: Subject) -> Answer:
    """Return all that the queue says of itself, if that may be asked."""
    names = {"AttributeNames": ["All"]}
    return subject.ask_once(
        _call(subject, "get_queue_attributes", "sqs:GetQueueAttributes", **names)
    )


@order.after(*order.KEYS, says="TC301")
def look(subject: Subject) -> Iterator[Finding]:
    """Look whether the queue is there, and what the source may do with it."""
    seen = attributes(subject)
    receiving, deleting, changing = subject.together(
        [
            receive(subject),
            _call(subject, "delete_message", "sqs:DeleteMessage", **_receipt()),
            _call(
                subject,
                "change_message_visibility",
                "sqs:ChangeMessageVisibility",
                VisibilityTimeout=0,
                **_receipt(),
            ),
        ]
    )
    if not _met(receiving):
        yield _absent(subject, receiving)
        return
    yield _there(subject, receiving, seen)
    yield _same(subject, seen)
    yield _receives(subject, receiving)
    yield _deletes(subject, deleting)
    yield _changes(subject, changing)
    if not seen.good:
        yield _unseen(subject, seen)


def _call(subject: Subject, operation: str, action: str, **given: object) -> Call:
    queue = subject.source.queue
    return Call("sqs", operation, queue.region, action, queue.arn, {"QueueUrl": queue.url, **given})


def _receipt() -> dict[str, str]:
    return {"ReceiptHandle": NO_RECEIPT}


def _met(answer: Answer) -> bool:
    """Say whether the queue itself answered, be it with a no."""
    reason = answer.fault.reason if answer.fault else ""
    return answer.good or answer.denied or objected(answer) or reason == "queue-key"


def objected(answer: Answer) -> bool:
    """Say whether SQS did not deny the call, and objected to what it was asked."""
    return bool(answer.codes & OBJECTED)


def _absent(subject: Subject, answer: Answer) -> Finding:
    if answer.fault is None or answer.fault.reason != "no-such-queue":
        return trouble.told(subject, answer, "TC301")
    queue = subject.source.queue
    text = f"there is no queue {queue.name} of account {queue.account} in {queue.region}"
    fix = f"Compare `queue_url` with the one SQS shows. AWS: {answer.fault.detail}"
    other = subject.source.bucket_region
    if other and other != queue.region and _is_in(subject, other):
        text = f"{text}; one of that name is in {other}"
        fix = f"Give the URL of the queue in {other}, or set `queue_region` where the URL has none."
    return Finding("error", "TC301", text, fix)


def _is_in(subject: Subject, region: str) -> bool:
    """Say whether a queue of this name answers in *region*."""
    asked = receive(subject)
    url = subject.source.queue.url.replace(subject.source.queue.region, region)
    answer = subject.ask_once(replace(asked, region=region, given={**asked.given, "QueueUrl": url}))
    return answer.good or objected(answer)


def _there(subject: Subject, receiving: Answer, seen: Answer) -> Finding:
    arn = subject.source.queue.arn
    if receiving.denied and seen.denied:
        text = f"whether {arn} exists is not known: everything asked of it was denied"
        return Finding("unproved", "TC301", text, "Allow what the next findings name.")
    return Finding("ok", "TC301", f"{arn} answers")


def _same(subject: Subject, seen: Answer) -> Finding:
    queue = subject.source.queue
    actual = Attributes(seen).text("QueueArn")
    if not actual:
        if queue.endpoint is None:
            return Finding("ok", "TC302", f"its URL is AWS's own, of {queue.region}")
        text = "whether the URL leads to the queue it names is not seen without its attributes"
        return Finding("unproved", "TC302", text, statements.remedy(
            subject, ["sqs:GetQueueAttributes"], queue.arn))  # fmt: skip
    ours = (
        queue.arn if queue.account else queue.arn.replace("::", f":{statements.account(actual)}:")
    )
    if actual == ours:
        return Finding("ok", "TC302", f"region, account and name are those of {actual}")
    text = f"the URL leads to {actual}, and says {ours}"
    return Finding("error", "TC302", text, "Copy `queue_url` from SQS; set `queue_region` by it.")


def _receives(subject: Subject, answer: Answer) -> Finding:
    if answer.denied:
        return statements.denied(subject, answer, "TC303", "error", "no message comes")
    if answer.fault and answer.fault.reason == "queue-key":
        fix = "Enable the key, or allow kms:Decrypt on it; the message names which."
        return Finding("error", "TC310", answer.fault.detail, fix)
    line = broker.line(subject)
    lately = line.standing.last_success_seconds if line else None
    if lately is not None and lately < broker.LATELY:
        return Finding("ok", "TC303", f"the line delivered what it received {age(lately)} ago")
    if not answer.good and not objected(answer):
        return trouble.told(subject, answer, "TC303")
    text = (
        "sqs:ReceiveMessage is not denied; that it hands a message out is proved only by taking "
        "one, which is not done here"
    )
    return Finding("unproved", "TC303", text, "`trailcourier run --drain` receives what waits.")


def _deletes(subject: Subject, answer: Answer) -> Finding:
    if answer.denied:
        lost = "every message comes back until it lands in the dead-letter queue"
        return statements.denied(subject, answer, "TC304", "error", lost)
    if answer.good or objected(answer):
        text = "sqs:DeleteMessage is allowed: it was asked with a receipt that is none, and SQS "
        return Finding("ok", "TC304", f"{text}objected to the receipt alone")
    return trouble.told(subject, answer, "TC304")


def _changes(subject: Subject, answer: Answer) -> Finding:
    if answer.denied:
        hold = subject.shared.settings.line.visibility_degraded
        lost = (
            f"messages are received for {hold} s, cannot be held longer and are not given back "
            "early; it works"
        )
        return statements.denied(subject, answer, "TC305", "warning", lost)
    if answer.good or objected(answer):
        return Finding("ok", "TC305", "sqs:ChangeMessageVisibility is allowed, asked likewise")
    return trouble.told(subject, answer, "TC305", "warning")


def _unseen(subject: Subject, answer: Answer) -> Finding:
    lost = "depth, dead-letter queue, encryption and policy of the queue are not seen"
    return trouble.unseen(subject, answer, "TC306", lost)
