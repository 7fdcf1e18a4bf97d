"""The broker and the ledger in it: what the line itself has met."""

from collections.abc import Mapping

import msgspec
import redis

from trailcourier import status, wiring
from trailcourier.doctor import bounded
from trailcourier.doctor.subject import Subject
from trailcourier.errors import ConfigError
from trailcourier.status import Standing

PATIENCE = 4.0  # seconds for the broker


class Line(msgspec.Struct, frozen=True):
    """How the line of a source stands, and everything it has counted."""

    standing: Standing
    sums: Mapping[str, int]


def line(subject: Subject) -> Line | None:
    """Return what the ledger knows of the source; None without a broker that answers."""
    return subject.known.get("line", lambda: _line(subject))


def _line(subject: Subject) -> Line | None:
    if subject.shared.settings.broker.url is None:
        return None

    def ask() -> Line:
        ledger = wiring.ledger(subject.name)
        return Line(status.standing(ledger), ledger.sums.all())

    try:
        return bounded.within(subject.shared.left(PATIENCE), ask)
    except (redis.RedisError, ConfigError, TimeoutError):  # the check of the broker says why
        return None
