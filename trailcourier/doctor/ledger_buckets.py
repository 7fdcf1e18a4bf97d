"""The buckets that messages named, as the ledger knows them."""

from collections.abc import Mapping, Sequence

import msgspec

from trailcourier import wiring
from trailcourier.breaker_name import BreakerName
from trailcourier.doctor import broker, deadlines
from trailcourier.doctor.subject import Subject
from trailcourier.errors import Unreachable

REASON = "bucket-not-allowed"


class LedgerBuckets(msgspec.Struct, frozen=True):
    """The buckets of objects that the line *read* or parked, and of those that it *refused*.

    *refused* are only those that `buckets` does not allow, with the seconds since the last time.
    """

    read: Sequence[str] = ()
    refused: Mapping[str, float] = {}


def find_buckets(subject: Subject) -> LedgerBuckets:
    """Return the buckets that the ledger knows; none if it cannot be read."""
    return subject.cache.get("ledger buckets", lambda: _find(subject))


def _find(subject: Subject) -> LedgerBuckets:
    state = broker.read_source_state(subject)
    if state is None:
        return LedgerBuckets()
    try:
        with wiring.answering():
            seconds = subject.shared.seconds_left(broker.PATIENCE)
            names, refused = deadlines.run_within(seconds, lambda: _read(subject, state))
    except (Unreachable, TimeoutError):
        return LedgerBuckets()
    opened = [each.name for each in state.standing.breakers]
    scopes = [BreakerName.parse(name) for name in (*opened, *names)]
    found = [each.bucket for each in state.parked]
    found += [each.scope.partition("/")[0] for each in scopes if each.kind == "bucket"]
    return LedgerBuckets(list(dict.fromkeys(found)), refused)


def _read(subject: Subject, state: broker.SourceState) -> tuple[list[str], dict[str, float]]:
    """Read the names of breakers that saw a success, and the buckets that were refused."""
    ledger = wiring.ledger(subject.name)
    entries = ledger.quarantine.entries() if state.standing.quarantined else []
    refused: dict[str, float] = {}
    for each in entries:  # the latest first
        if each.reason == REASON and each.ref is not None:
            refused.setdefault(each.ref.bucket, max(0, state.roll.now - each.last) / 1000)
    return ledger.breakers.list_succeeded(), refused
