"""The sums of an object as metrics: for each sink, in = delivered + filtered + refused."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.ledger.sums import as_metrics
from trailcourier.models import Outcome
from trailcourier.observability.metrics import METRICS

count = st.integers(0, 10_000)


def counted(sums, reason=""):
    outcome = Outcome("refused" if reason else "delivered", reason)
    return [(name, by, labels) for name, by, labels in as_metrics("prod", sums, outcome) if by]


@given(rules=st.dictionaries(st.sampled_from(["a", "b"]), count), delivered=count, refused=count)
def test_what_is_read_is_delivered_filtered_or_refused_for_each_sink(rules, delivered, refused):
    filtered = sum(rules.values())
    sums = {"records:in": delivered + filtered + refused}
    sums |= {f"records:filtered:{rule}": by for rule, by in rules.items()}
    for sink in ("siem", "archive"):
        sums |= {
            f"sink:{sink}:delivered": delivered,
            f"sink:{sink}:filtered": filtered,
            f"sink:{sink}:refused": refused,
        }

    totals = Counter()
    for name, by, labels in counted(sums, "too-large"):
        assert set(labels) == set(METRICS[name].labels)
        totals[name, labels.get("sink")] += by

    assert totals["records_total", "siem"] == totals["records_read_total", None]
    assert totals["records_total", "archive"] == totals["records_read_total", None]


def test_each_metric_has_its_reason():
    sums = {
        "records:filtered:aws-service-reads": 2,
        "sink:siem:delivered": 5,
        "sink:siem:filtered": 2,
        "sink:siem:refused": 1,
        "sink:siem:truncated": 3,
    }

    by_reason = {
        (labels.get("disposition"), labels.get("reason")): by
        for name, by, labels in counted(sums, "record-too-large")
        if name == "records_total"
    }

    assert by_reason == {
        ("delivered", ""): 5,
        ("filtered", "aws-service-reads"): 2,
        ("refused", "record-too-large"): 1,
    }
    truncated = ("records_truncated_total", 3, {"source": "prod", "sink": "siem"})
    assert truncated in counted(sums)


def test_refused_records_that_a_later_try_delivers_are_counted_as_repaired():
    counts = counted({"sink:siem:repaired": 2})

    assert counts == [("records_repaired_total", 2, {"source": "prod", "sink": "siem"})]


@pytest.mark.parametrize(
    ("reason", "disposition"), [("", "delivered"), ("rejected-records", "refused")]
)
def test_bytes_read_and_inflated_are_counted_by_outcome(reason, disposition):
    labels = {"source": "prod", "disposition": disposition, "reason": reason}

    assert counted({"bytes:read": 10, "bytes:in": 100}, reason) == [
        ("bytes_read_total", 10, labels),
        ("bytes_inflated_total", 100, labels),
    ]
