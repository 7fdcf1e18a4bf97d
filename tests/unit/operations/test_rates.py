"""How fast a source was between two looks at it."""

import msgspec
import pytest

from trailcourier.operations.rates import with_rate
from trailcourier.operations.source_status import SourceStatus

IDLE = SourceStatus(
    source="prod", depth=90, messages=10, oldest_seconds=None, in_flight=0, parked=0, quarantined=0,
    workers=1, last_success_seconds=None, records={"in": 100}, objects={"named": 9, "delivered": 5},
    messages_by_outcome={"received": 20, "deleted": 7}, sinks={}, steps={},
)  # fmt: skip
LATER = {
    "records": {"in": 1100},
    "objects": {"named": 60, "delivered": 20, "skipped:digest": 3, "refused:corrupt": 2},
    "messages_by_outcome": {
        "received": 90, "deleted": 20, "unread:test": 3, "left": 2, "refused:not-understood": 1,
        "refused-before": 1, "held-already": 9, "lost": 9,
    },
}  # fmt: skip


def later(**changed):
    return msgspec.structs.replace(IDLE, **{**LATER, **changed})


def test_the_rate_counts_what_came_to_an_end():
    rate = with_rate(later(), IDLE, 10).rate

    assert (rate.seconds, rate.records, rate.objects, rate.messages) == (10, 100, 2, 2)
    assert rate.backlog_seconds == 50  # of 90 queued and 10 leased messages


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        pytest.param({"depth": 0, "messages": 0}, 0, id="nothing waits"),
        pytest.param({"depth": None}, None, id="the depth is unknown"),
        pytest.param({"messages_by_outcome": IDLE.messages_by_outcome}, None, id="nothing ends"),
    ],
)
def test_the_time_left_is_said_where_it_can_be(changed, left):
    assert with_rate(later(**changed), IDLE, 10).rate.backlog_seconds == left


def test_counters_that_were_lost_and_no_time_give_no_rate():
    assert with_rate(IDLE, later(), 10).rate is None
    assert with_rate(later(), IDLE, 0).rate is None
