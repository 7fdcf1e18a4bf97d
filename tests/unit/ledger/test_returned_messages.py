"""How many refused messages are still in the queue."""

import pytest

from tests.unit.ledger.conftest import admit
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.models import Message, ObjectRef, QueueLimits

SENT = 1_000  # seconds before now
LIMITS = QueueLimits(kept=4 * 86_400, receives=3)


def refuse(ledger, name, *, receives=1):
    """Refuse a message that was sent some time ago, and received *receives* times."""
    sent = ledger.store.read_clock() - SENT * 1000
    entry = QuarantineEntry("e", "message", "not-understood", "no", message=name)
    ledger.quarantine.set_aside(entry, Message(name, "r", "", receives, sent))


def count(ledger, limits=LIMITS):
    return ledger.returned.count_refused(limits, first=60, longest=900)


def test_a_source_without_refusals_has_none(ledger):
    assert count(ledger) == 0


def test_refused_messages_are_counted_and_unfinished_ones_are_not(ledger):
    refuse(ledger, "m1")
    refuse(ledger, "m2", receives=2)
    for name, field in (("m3", "messages:left"), ("m4", "messages:released")):
        admit(ledger, name, [ObjectRef("acme-logs", name)])
        ledger.leases.forget([name], field)

    assert count(ledger) == 3


def test_a_message_that_was_deleted_later_is_not_counted(ledger):
    refuse(ledger, "m1")
    admit(ledger, "m1", [ObjectRef("acme-logs", "a")], receives=2)
    ledger.leases.forget(["m1"], "messages:deleted")

    assert count(ledger) == 0


@pytest.mark.parametrize(
    ("limits", "later", "counted"),
    [
        pytest.param(LIMITS, 230, 1, id="hidden after the last receive"),
        pytest.param(LIMITS, 250, 0, id="moved"),
        pytest.param(QueueLimits(kept=4 * 86_400, receives=0), 250, 1, id="never moved"),
        pytest.param(QueueLimits(), 250, 1, id="unknown limits"),
        pytest.param(QueueLimits(kept=1200, receives=0), 250, 0, id="dropped by the queue"),
    ],
)
def test_a_message_counts_until_the_queue_gives_it_up(ledger, pass_time, limits, later, counted):
    refuse(ledger, "m1", receives=3)
    pass_time(later)

    assert count(ledger, limits) == counted
