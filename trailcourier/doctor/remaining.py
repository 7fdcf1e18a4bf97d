"""What AWS did not let doctor see, as the causes that remain possible."""

from collections.abc import Iterator, Mapping

from trailcourier.doctor import statements
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject

ENTRIES: Entries = {
    "TC004": CatalogueEntry(
        "Which causes remain possible?",
        ("not-checked",),
        "AWS denied doctor a look at these, so a fault there stays unseen. The source's "
        "credentials do not need to see them. `--profile NAME` lends doctor the eyes of another "
        "profile in `~/.aws/config`, such as an administrator's, for the AWS side alone; the queue "
        "and the log files are still tried with the source's own credentials.",
    ),
}

CAUSES: Mapping[str, str] = {
    "TC306": "the queue's key, retention, delay or policy keeps messages out (TC310, TC314, TC315, "
    "TC405)",
    "TC312": "messages have waited for long, and nothing receives them (TC312, TC810)",
    "TC401": "nothing notifies the queue (TC401)",
    "TC402": "the queue is not subscribed to the topic, the subscription is not confirmed or drops "
    "notifications, or the topic is gone (TC402, TC403, TC406, TC409)",
    "TC404": "CloudTrail may not publish to the topic, or use its key (TC404, TC407)",
    "TC406": "the subscription's filter policy drops notifications (TC406)",
    "TC407": "the key of the topic or queue is denied to its sender (TC407)",
    "TC408": "the bucket does not notify the queue, or the EventBridge rule is off (TC408)",
    "TC501": "there is no trail, or it is stopped, cannot deliver or notify, or writes to another "
    "bucket (TC501, TC502, TC504, TC505, TC506, TC508)",
    "TC504": "the trail is stopped, or cannot deliver or notify (TC502, TC504, TC506)",
    "TC505": "nothing is notified of the trail's log files (TC505)",
    "TC604": "no log files are written, or messages name other files (TC605, TC701, TC702, TC703)",
}
"""The causes that a finding, not checked because of a denial, leaves open."""
SYMPTOMS = ("TC506", "TC701", "TC702", "TC703", "TC810", "TC812")
"""Errors that say that nothing arrives, but not why."""


def check_remaining(subject: Subject) -> Iterator[Finding]:
    """Name the causes that AWS's denials leave open, unless an error names the cause."""
    errors = subject.errors()
    causes = [words for id_, words in CAUSES.items() if id_ in subject.denied]
    if not causes or len(errors) > len(subject.errors(*SYMPTOMS)):
        return
    text = f"AWS denies these credentials a look, so these causes remain possible: {_join(causes)}"
    yield Finding("not-checked", "TC004", text, _command(subject))


def _join(causes: list[str]) -> str:
    return "; ".join(causes)


def _command(subject: Subject) -> str:
    """Return the one command that tells which of the causes it is."""
    accounts = {statements.arn_account(call.resource) for call in subject.denied.values()}
    known = sorted(accounts - {""}) or [subject.source.queue.account]
    where = f"account{'s' if len(known) > 1 else ''} {', '.join(known)}"
    if lent := subject.lent.profile:
        return f"The profile {lent} may not look either: name one that may, in {where}."
    return (
        f"`trailcourier doctor --source {subject.name} --profile NAME` tells which, where NAME is "
        f"a profile of ~/.aws/config that may read the settings of {where}."
    )
