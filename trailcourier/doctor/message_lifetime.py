"""How long the queue keeps messages, and how late it shows them."""

from collections.abc import Iterator

from trailcourier.doctor import prerequisites, queue
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.text import age

DAY, HOUR = 86_400, 3_600  # seconds
LONGEST = 1_209_600  # seconds; SQS's longest retention, 14 days

ENTRIES: Entries = {
    "TC314": CatalogueEntry(
        "Does the queue keep messages for longer than an outage?",
        ("ok", "not-checked", "warning", "error"),
        "SQS drops a message at the end of the queue's retention, also one that a worker holds, "
        "and CloudTrail does not announce the file again. Less than an hour is an error, less than "
        "a day a warning. 14 days is SQS's maximum and costs nothing more.",
    ),
    "TC315": CatalogueEntry(
        "Does the queue show messages at once?",
        ("ok", "not-checked", "warning"),
        "`DelaySeconds` of the queue hides each message for so long after it was sent, so every "
        "record arrives that much later. A queue of log files needs no delay.",
    ),
}


@prerequisites.skip_after_errors(*prerequisites.QUEUE_ERRORS, reports="TC314")
def check_message_lifetime(subject: Subject) -> Iterator[Finding]:
    """Check the queue's retention and its delay."""
    if not queue.ask_attributes(subject).good:  # TC306 reports it
        return
    attributes = queue.read_attributes(subject)
    yield _check_retention(subject, attributes.number("MessageRetentionPeriod"))
    yield _check_delay(subject, attributes.number("DelaySeconds"))


def _check_retention(subject: Subject, kept: int | None) -> Finding:
    fix = f"Raise it to 14 days: {_command(subject, f'MessageRetentionPeriod={LONGEST}')}"
    if kept is None:
        text = "the queue does not report for how long it keeps messages"
        return Finding("not-checked", "TC314", text, fix)
    text = f"the queue keeps messages for {age(kept)}"
    if kept >= DAY:
        return Finding("ok", "TC314", text)
    text = f"{text}: an outage that lasts longer loses the notifications of its log files"
    return Finding("error" if kept < HOUR else "warning", "TC314", text, fix)


def _check_delay(subject: Subject, delay: int | None) -> Finding:
    fix = f"Remove the delay: {_command(subject, 'DelaySeconds=0')}"
    if delay is None:
        text = "the queue does not report whether it delays messages"
        return Finding("not-checked", "TC315", text, fix)
    if not delay:
        return Finding("ok", "TC315", "the queue shows messages at once")
    text = f"the queue hides each message for {age(delay)} before anything can receive it"
    return Finding("warning", "TC315", text, fix)


def _command(subject: Subject, attribute: str) -> str:
    url = subject.source.queue.url
    return f"aws sqs set-queue-attributes --queue-url {url} --attributes {attribute}"
