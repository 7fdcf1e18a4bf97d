"""One cause, one error: a check is skipped after an error that would make it fail too."""

from collections.abc import Callable, Iterator
from functools import wraps

from trailcourier.doctor import aws_findings
from trailcourier.doctor.finding import Finding
from trailcourier.doctor.subject import Subject

Check = Callable[[Subject], Iterator[Finding]]

CREDENTIAL_ERRORS = ("TC001", "TC202", "TC203", "TC204", "TC205", "TC206", "TC207")
"""Errors after which AWS rejects every call of the source."""
QUEUE_ERRORS = (*CREDENTIAL_ERRORS, "TC301", "TC302")
"""Errors after which nothing is known of the queue."""


def skip_after_errors(*ids: str, reports: str) -> Callable[[Check], Check]:
    """Decorate a check to be skipped if an error with one of *ids* was found.

    An id may be a prefix, such as ``"TC3"``.  A skipped check yields one finding, with the id
    *reports*, that names the error.
    """

    def decorate(check: Check) -> Check:
        @wraps(check)
        def run_unless_blocked(subject: Subject) -> Iterator[Finding]:
            if errors := subject.errors(*ids):
                yield aws_findings.blocked_finding(reports, errors[0].id)
            else:
                yield from check(subject)

        return run_unless_blocked

    return decorate
