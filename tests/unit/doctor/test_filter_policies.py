"""Which notifications of log files a subscription's filter policy passes."""

import json

import pytest

from trailcourier.doctor.filter_policies import passes

BODY = {"s3Bucket": ["acme"], "s3ObjectKey": ["AWSLogs/1/CloudTrail/x.json.gz"]}
CASES = [
    ("yes", {}, {}, "no-policy"),
    ("no", {"kind": ["log"]}, {}, "an-attribute-that-no-notification-has"),
    ("yes", {"kind": [{"exists": False}]}, {}, "an-attribute-that-must-be-missing"),
    ("no", {"kind": [{"anything-but": "log"}]}, {}, "anything-but-needs-the-attribute"),
    ("yes", {"s3Bucket": ["acme"]}, BODY, "bucket"),
    ("no", {"s3Bucket": ["other"]}, BODY, "another-bucket"),
    ("yes", {"s3Bucket": [{"exists": True}]}, BODY, "bucket-exists"),
    ("no", {"s3Bucket": [{"exists": False}]}, BODY, "bucket-missing"),
    ("yes", {"s3ObjectKey": [{"prefix": "AWSLogs/"}]}, BODY, "prefix"),
    ("no", {"s3ObjectKey": [{"suffix": ".csv"}]}, BODY, "suffix"),
    ("yes", {"s3Bucket": [{"equals-ignore-case": "ACME"}]}, BODY, "any-case"),
    ("yes", {"s3Bucket": [{"anything-but": ["other"]}]}, BODY, "anything-but"),
    ("no", {"s3Bucket": [{"anything-but": "acme"}]}, BODY, "anything-but-this"),
    ("unknown", {"s3Bucket": [{"wildcard": "a*"}]}, BODY, "not-understood"),
    ("unknown", {"s3Bucket": [{"anything-but": {"prefix": "b"}}]}, BODY, "nested-operator"),
    ("no", {"s3Bucket": [1, None, True]}, BODY, "no-text"),
    ("no", {"detail": {"kind": ["log"]}}, BODY, "below-a-key-that-is-missing"),
    ("no", {"s3Bucket": {"kind": ["log"]}}, BODY, "below-a-text"),
    ("unknown", {"s3Bucket": ["acme"]}, {"s3Bucket": None}, "value-not-known"),
    ("unknown", {"Records": {"a": ["b"]}}, {"Records": None}, "below-what-is-not-known"),
    ("no", {"s3Bucket": ["acme"], "kind": ["log"]}, BODY, "all-keys-have-to-match"),
    ("yes", {"$or": [{"kind": ["log"]}, {"s3Bucket": ["acme"]}]}, BODY, "or"),
    ("no", {"$or": [{"kind": ["log"]}]}, BODY, "or-none"),
]


@pytest.mark.parametrize(
    ("verdict", "policy", "values"), [pytest.param(*each[:3], id=each[3]) for each in CASES]
)
def test_a_filter_policy_is_evaluated(verdict, policy, values):
    assert passes(json.dumps(policy), values) == verdict


@pytest.mark.parametrize(("text", "verdict"), [("", "yes"), ("{", "unknown"), ("[]", "unknown")])
def test_what_is_no_policy_is_not_judged(text, verdict):
    assert passes(text, {}) == verdict
