"""The configuration itself, as ``trailcourier check`` reads it."""

from collections.abc import Iterator

from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.errors import ConfigError

TOLD: Entries = {
    "TC001": Entry(
        "Can the configuration be used?",
        ("ok", "error"),
        "Each problem is one finding, in the words of `trailcourier check`. A FIFO queue is one of "
        "them: CloudTrail's topic and S3 announce to standard queues only. Nothing else is looked "
        "at before this is mended.",
    ),
    "TC002": Entry(
        "Does it say what is meant?",
        ("warning",),
        "Something that is allowed and seldom wanted, such as no `buckets`.",
    ),
    "TC003": Entry(
        "Was there time for everything?",
        ("unproved",),
        "All of it ends within half a minute. What is slow is told above: mend that first, or look "
        "at one source alone with `--source`.",
    ),
}


def unusable(error: ConfigError) -> list[Finding]:
    """Return what is wrong with a configuration that cannot be used; then nothing else is seen."""
    fix = "Mend the configuration; `trailcourier check` reads it without a network."
    return [Finding("error", "TC001", problem, fix) for problem in error.problems]


def look(subject: Subject) -> Iterator[Finding]:
    """Say what is looked at, and what may be meant and often is not."""
    found, source = subject.shared.settings, subject.source
    where = found.path or "the environment"
    queue, kind = source.queue, source.credentials.kind
    text = f"{where}: queue {queue.name} in {queue.region}, as {kind}, to {', '.join(source.sinks)}"
    yield Finding("ok", "TC001", text)
    for warning in found.warnings():
        if f"sources.{subject.name}." in warning or ": sinks." in warning:
            yield Finding("warning", "TC002", warning, "See docs/settings.md.")
