"""The configuration, as ``trailcourier check`` reads it."""

from collections.abc import Iterator

from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.errors import ConfigError

ENTRIES: Entries = {
    "TC001": CatalogueEntry(
        "Can the configuration be used?",
        ("ok", "error"),
        "Each problem is one finding, with the text that `trailcourier check` prints. A FIFO queue "
        "is a problem: CloudTrail's topic and S3 can notify standard queues only. Doctor checks "
        "nothing else until the configuration is valid.",
    ),
    "TC002": CatalogueEntry(
        "Is the configuration what was intended?",
        ("warning",),
        "Valid but probably unintended, for example no bucket allow-list (`buckets`).",
    ),
    "TC003": CatalogueEntry(
        "Was there time for all checks?",
        ("not-checked",),
        "All checks together end within half a minute. Findings above report what was slow: repair "
        "that first, or check one source alone with `--source`.",
    ),
}


def unusable(error: ConfigError) -> list[Finding]:
    """Return a finding for each problem of an invalid configuration, the only ones then."""
    fix = "Correct the configuration; `trailcourier check` validates it without a network."
    return [Finding("error", "TC001", problem, fix) for problem in error.problems]


def check_configuration(subject: Subject) -> Iterator[Finding]:
    """Report which configuration is checked, and its warnings about this source."""
    settings, source = subject.shared.settings, subject.source
    where = settings.path or "the environment"
    queue, kind = source.queue, source.credentials.kind
    text = (
        f"{where}: queue {queue.name} in {queue.region}, credentials {kind}, "
        f"sinks {', '.join(source.sinks)}"
    )
    yield Finding("ok", "TC001", text)
    for warning in settings.warnings():
        if f"sources.{subject.name}." in warning or ": sinks." in warning:
            yield Finding(
                "warning",
                "TC002",
                warning,
                "Set the key as docs/settings.md describes, if this is not intended.",
            )
