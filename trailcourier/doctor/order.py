"""One cause, one error: what only follows from an earlier error is not looked at."""

from collections.abc import Callable, Iterator
from functools import wraps

from trailcourier.doctor import trouble
from trailcourier.doctor.finding import Finding
from trailcourier.doctor.subject import Subject

Check = Callable[[Subject], Iterator[Finding]]

KEYS = ("TC001", "TC202", "TC203", "TC204", "TC205", "TC206", "TC207")
"""Errors after which AWS takes nothing from this source."""


def after(*ids: str, says: str) -> Callable[[Check], Check]:
    """Have a check look only where no error with one of *ids* was found.

    An id may be the beginning of some: ``"TC3"``.  Else the check's whole answer is, under the id
    *says*, that it did not look.
    """

    def made(check: Check) -> Check:
        @wraps(check)
        def looking(subject: Subject) -> Iterator[Finding]:
            if first := subject.errors(*ids):
                yield trouble.behind(says, first[0].id)
            else:
                yield from check(subject)

        return looking

    return made
