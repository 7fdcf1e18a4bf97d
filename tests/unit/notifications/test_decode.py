"""Notifications that announce objects, and those that positively announce none."""

import json

import pytest

from tests.support.announcements import (
    BUCKET,
    ETAG,
    KEY,
    S3_TEST,
    SHAPES,
    VALIDATION,
    WRAPPINGS,
    config,
    entry,
    eventbridge,
    own,
    s3,
    s3_event,
    sns,
    text,
)
from trailcourier.models import ObjectRef
from trailcourier.notifications import NO_LOG, decode

LITERAL = ObjectRef(BUCKET, KEY)
FULL = ObjectRef(BUCKET, KEY, etag=ETAG, region="eu-west-1", size=1024)
KEYS = {
    "space": "a b c",
    "plus": "a+b",
    "encoded plus": "a%2Bb",
    "encoded slash": "a%2Fb",
    "bare percent": "100%",
    "equals and colon": "date=2026-11-23/12:00",
    "other scripts": "ü/日本/🚚",
    "combining": "u\u0308",
    "upwards": "../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "quotes": "a\"b'c\\d",
    "control characters": "a\x00b\nc\x7f",
    "1,024 bytes": "k" * 1024,
    "1,024 bytes in two-byte letters": "ü" * 512,
}


@pytest.mark.parametrize("wrap", WRAPPINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_decoded_in_every_envelope(wrap, shape):
    notice = decode(WRAPPINGS[wrap](SHAPES[shape](KEY)))

    assert notice.shape == wrap + shape
    assert notice.objects == (LITERAL if shape == "cloudtrail" else FULL,)
    assert notice.from_cloudtrail == (shape == "cloudtrail")
    assert (notice.no_log, notice.skipped) == ("", {})


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("wrap", ["", "sns/"], ids=["bare", "wrapped"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_key_is_decoded_to_the_name_in_the_bucket(shape, wrap, key):
    notice = decode(WRAPPINGS[wrap](SHAPES[shape](key)))

    assert [ref.key for ref in notice.objects] == [key]


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        pytest.param("a+b", "a b", id="plus is a space"),
        pytest.param("a%2Bb", "a+b", id="plus"),
        pytest.param("a%2bb", "a+b", id="lower-case escape"),
        pytest.param("a%2Fb", "a/b", id="slash, as moto writes it"),
        pytest.param("a%252Bb", "a%2Bb", id="decoded once"),
        pytest.param("%C3%BC", "ü", id="UTF-8"),
        pytest.param("ü%C3%BC", "üü", id="left as it is beside escaped"),
    ],
)
def test_keys_of_s3_events_are_form_decoded(encoded, key):
    created = entry()
    created["s3"]["object"]["key"] = encoded

    assert decode(s3(created)).objects[0].key == key


@pytest.mark.parametrize("shape", ["cloudtrail", "eventbridge"])
def test_keys_of_the_other_shapes_are_literal(shape):
    assert decode(SHAPES[shape]("a+b%2Bc")).objects[0].key == "a+b%2Bc"


DECODED = {
    "a str for the list": (text({"s3Bucket": BUCKET, "s3ObjectKey": KEY}), [LITERAL]),
    "fields that are new": (
        text({"s3Bucket": BUCKET, "s3ObjectKey": [KEY], "s3Region": "eu-west-1"}), [LITERAL],
    ),
    "white space around": (f"\n {own(KEY)}\r\n", [LITERAL]),
    "several keys in order": (own("b", "a", "c"), [ObjectRef(BUCKET, k) for k in "bac"]),
    "a key twice": (own("a", "b", "a"), [ObjectRef(BUCKET, k) for k in "ab"]),
    "a bucket with dots": (own("a", bucket="a.example.com"), [ObjectRef("a.example.com", "a")]),
    "the shortest bucket": (own("a", bucket="a-1"), [ObjectRef("a-1", "a")]),
    "the longest bucket": (own("a", bucket="b" * 63), [ObjectRef("b" * 63, "a")]),
    "an entry twice": (s3(entry(), entry(name="ObjectCreated:CompleteMultipartUpload")), [FULL]),
    "two contents of a key": (
        s3(entry(), entry(eTag="other")),
        [FULL, ObjectRef(BUCKET, KEY, etag="other", region="eu-west-1", size=1024)],
    ),
    "the first version of events": (s3(entry() | {"eventVersion": "2.0"}), [FULL]),
    "a minor version to come": (s3(entry() | {"eventVersion": "2.17"}), [FULL]),
    "s3: before the name": (s3(entry(name="s3:ObjectCreated:Put")), [FULL]),
    "a kind of creation to come": (s3(entry(name="ObjectCreated:New")), [FULL]),
    "a version": (
        s3(entry(versionId="3HL4kqtJ.x_y-z")),
        [ObjectRef(BUCKET, KEY, "3HL4kqtJ.x_y-z", ETAG, "eu-west-1", 1024)],
    ),
    "version null": (s3(entry(versionId="null")), [FULL]),
    "no version": (s3(entry(versionId=None)), [FULL]),
    "quotes around the etag": (s3(entry(eTag=f'"{ETAG}"')), [FULL]),
    "an empty etag": (
        s3(entry(eTag="")), [ObjectRef(BUCKET, KEY, region="eu-west-1", size=1024)],
    ),
    "no hints": (s3(entry(size=None) | {"awsRegion": None}), [ObjectRef(BUCKET, KEY, etag=ETAG)]),
    "odd hints": (
        s3(entry(size=-1) | {"awsRegion": "../x"}), [ObjectRef(BUCKET, KEY, etag=ETAG)],
    ),
    "hints of other types": (
        s3(entry(size="1") | {"awsRegion": ["eu-west-1"]}), [ObjectRef(BUCKET, KEY, etag=ETAG)],
    ),
    "a size that is true": (
        s3(entry(size=True)), [ObjectRef(BUCKET, KEY, etag=ETAG, region="eu-west-1")],
    ),
    "enormous hints": (
        s3(entry(size=2**80) | {"awsRegion": f"eu-{'w' * 40}-1"}),
        [ObjectRef(BUCKET, KEY, etag=ETAG)],
    ),
    "a region of China": (
        s3(entry() | {"awsRegion": "cn-north-1"}),
        [ObjectRef(BUCKET, KEY, etag=ETAG, region="cn-north-1", size=1024)],
    ),
    "an EventBridge version": (
        eventbridge(**{"version-id": "3HL4"}),
        [ObjectRef(BUCKET, KEY, "3HL4", ETAG, "eu-west-1", 1024)],
    ),
    "EventBridge as moto writes it": (
        eventbridge(etag=None, eTag=ETAG, **{"version-id": "null"}), [FULL],
    ),
    "an indented envelope": (
        json.dumps(json.loads(sns(own(KEY), Subject="x", MessageAttributes={})), indent=2),
        [LITERAL],
    ),
    "a field twice": (own(KEY)[:-1] + ',"s3ObjectKey":["last"]}', [ObjectRef(BUCKET, "last")]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "objects"), DECODED.values(), ids=DECODED)
def test_a_cloudtrail_notification_names_its_objects(body, objects):
    assert list(decode(body).objects) == objects


UNREAD_BODIES = {
    "CloudTrail's validation": (VALIDATION, "cloudtrail-validation", "cloudtrail-validation"),
    "validation with a line end": (f"{VALIDATION}\n",) + ("cloudtrail-validation",) * 2,
    "S3's test": (text(S3_TEST), "s3-test-event", "s3-test-event"),
    "S3's test as moto writes it": (text({"Service": "Amazon S3", "Event": "s3:TestEvent"}),)
    + ("s3-test-event",) * 2,
    "a deletion": (s3(entry(name="ObjectRemoved:Delete")), "s3", "s3-non-create"),
    "a deletion without its object": (
        s3(entry(name="ObjectRemoved:Delete") | {"s3": None}), "s3", "s3-non-create",
    ),
    "Config's delivery, which names a file": (
        config("ConfigurationHistoryDeliveryCompleted", s3Bucket=BUCKET, s3ObjectKey=KEY),
        "aws-config", "aws-config",
    ),
    "Config through EventBridge": (
        text({"source": "aws.config", "detail-type": "Config Rules Compliance Change"}),
        "eventbridge", "aws-config",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrap", ["", "sns/", "sns/sns/"], ids=["bare", "wrapped", "twice"])
@pytest.mark.parametrize(("body", "shape", "kind"), UNREAD_BODIES.values(), ids=UNREAD_BODIES)
def test_a_notification_without_a_log_is_named(body, shape, kind, wrap):
    notice = decode(WRAPPINGS[wrap](body))

    assert (notice.shape, notice.no_log) == (wrap + shape, kind)
    assert notice.objects == ()
    assert kind in NO_LOG


@pytest.mark.parametrize(
    "kind",
    [
        "ComplianceChangeNotification",
        "ConfigRulesEvaluationStarted",
        "ConfigurationHistoryDeliveryCompleted",
        "ConfigurationItemChangeNotification",
        "ConfigurationSnapshotDeliveryCompleted",
        "ConfigurationSnapshotDeliveryFailed",
        "ConfigurationSnapshotDeliveryStarted",
        "OversizedConfigurationItemChangeDeliveryFailed",
        "OversizedConfigurationItemChangeNotification",
    ],
)
def test_every_notice_of_aws_config_announces_no_log(kind):
    assert decode(config(kind)).no_log == "aws-config"


@pytest.mark.parametrize(
    "name",
    [
        "IntelligentTiering", "LifecycleExpiration:Delete", "LifecycleTransition", "ObjectAcl:Put",
        "ObjectAnnotation:Put", "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated",
        "ObjectRestore:Completed", "ObjectRestore:Post", "ObjectRetention:Put",
        "ObjectTagging:Delete", "ReducedRedundancyLostObject",
        "Replication:OperationFailedReplication",
    ],
)  # fmt: skip
def test_every_other_event_of_s3_announces_no_log(name):
    notice = decode(s3(entry(name=name), entry(name=name)))

    assert notice.no_log == "s3-non-create"
    assert notice.skipped == {name.partition(":")[0]: 2}


@pytest.mark.parametrize(
    "kind",
    [
        "Object ACL Updated", "Object Access Tier Changed", "Object Annotation Created",
        "Object Annotation Deleted", "Object Deleted",
        "Object Restore Completed", "Object Restore Expired", "Object Restore Initiated",
        "Object Storage Class Changed", "Object Tags Added", "Object Tags Deleted",
    ],
)  # fmt: skip
def test_every_other_event_of_s3_through_eventbridge_announces_no_log(kind):
    notice = decode(eventbridge(kind=kind))

    assert notice.no_log == "s3-non-create"
    assert notice.skipped == {kind: 1}


def test_other_events_next_to_a_creation_are_counted():
    notice = decode(s3(entry(name="ObjectTagging:Put"), entry(), entry(name="ObjectAcl:Put")))

    assert notice.objects == (FULL,)
    assert notice.no_log == ""
    assert notice.skipped == {"ObjectTagging": 1, "ObjectAcl": 1}


def test_exactly_the_allowed_number_of_objects_is_decoded():
    keys = [str(number) for number in range(5000)]

    assert len(decode(own(*keys)).objects) == 5000
    assert len(decode(s3_event("a", "b"), max_objects=2).objects) == 2
    assert len(decode(own("a", "b", "a"), max_objects=2).objects) == 2
