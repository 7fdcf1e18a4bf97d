"""The broker and the ledger in it: what the line itself has met."""

from collections.abc import Mapping, Sequence

import msgspec
import redis

from trailcourier import status, wiring
from trailcourier.doctor import bounded
from trailcourier.doctor.subject import Subject
from trailcourier.errors import ConfigError
from trailcourier.models import ObjectRef
from trailcourier.status import Standing

PATIENCE = 4.0  # seconds for the broker
LATELY = 3600  # seconds; what the line did since then it may still do
PARKED = 5  # objects to try, where none can be listed


class Line(msgspec.Struct, frozen=True):
    """How the line of a source stands, everything it has counted, and what waits to be tried."""

    standing: Standing
    sums: Mapping[str, int]
    parked: Sequence[ObjectRef] = ()


def line(subject: Subject) -> Line | None:
    """Return what the ledger knows of the source; None without a broker that answers."""
    return subject.known.get("line", lambda: _line(subject))


def _line(subject: Subject) -> Line | None:
    if subject.shared.settings.broker.url is None:
        return None

    def ask() -> Line:
        ledger = wiring.ledger(subject.name)
        parked = [each.ref for each in ledger.flow.waiting(PARKED)]
        return Line(status.standing(ledger), ledger.sums.all(), parked)

    try:
        return bounded.within(subject.shared.left(PATIENCE), ask)
    except (redis.RedisError, ConfigError, TimeoutError):  # the check of the broker says why
        return None
