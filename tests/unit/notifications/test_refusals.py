"""Notifications that are not understood are refused, and do no other harm."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.announcements import (
    BUCKET,
    KEY,
    S3_TEST,
    SHAPES,
    TOPIC,
    VALIDATION,
    WRAPPINGS,
    config,
    confirmation,
    entry,
    eventbridge,
    own,
    s3,
    sns,
    text,
)
from trailcourier.errors import Fault
from trailcourier.notifications import NO_LOG, decode, subscription_confirm_command
from trailcourier.reasons import REASONS

LONGEST = 500  # characters of a detail


def refusal(body, **how):
    with pytest.raises(Fault) as raised:
        decode(body, **how)
    assert raised.value.detail.isascii()
    assert raised.value.detail.isprintable()
    assert len(raised.value.detail) <= LONGEST
    return raised.value


def without(name, of):
    return {key: value for key, value in of.items() if key != name}


def s3_of(**parts):
    """A valid S3 event, except for the given parts of ``s3``."""
    return s3(entry("good"), entry() | {"s3": entry()["s3"] | parts})


def encoded(key):
    return s3_of(object={"key": key})


NOT_UNDERSTOOD = {
    # no JSON object at all
    "nothing": ("", "not JSON"),
    "words": ("hello there", "not JSON ('JSON is malformed: invalid character (byte 0)')"),
    "cut short": (own(KEY)[:-1], "not JSON"),
    "more after it": (own(KEY) + own(KEY), "not JSON"),
    "a byte order mark": ("\ufeff" + own(KEY), "begins with '\\ufeff{"),
    "NUL": ("\x00", "begins with '\\x00'"),
    "half a surrogate pair": ('"\ud800"', "not JSON"),
    "half a surrogate pair, escaped": ('{"a":"\\ud800"}', "not JSON"),
    "not a number": ('{"a":NaN}', "not JSON"),
    "a raw line break in a text": ('{"a":"\n"}', "not JSON"),
    "a number of 100,000 digits": ("9" * 100_000, "not JSON"),
    "an array": ("[]", "JSON, but not an object"),
    "a text": (text(VALIDATION), "JSON, but not an object"),
    "a number": ("17", "JSON, but not an object"),
    "null": ("null", "JSON, but not an object"),
    "almost the validation": ("CloudTrail validation message", "not JSON"),
    # an object of no known shape
    "an empty object": ("{}", "no key of a known format; it begins with the keys (none)"),
    "a foreign one": ('{"AlarmName":"x","b":1}', "keys 'AlarmName', 'b'"),
    "a foreign one of many": (text(dict.fromkeys("abcdefgh" * 9, 0)), "'a', 'b', 'c', 'd', 'e'"),
    "a foreign one of long words": (text(dict.fromkeys(map("ü".__mul__, range(90, 999)))), "xfc"),
    "two formats": (text(json.loads(own(KEY)) | S3_TEST), "the keys of several formats"),
    "a notice with an envelope's fields": (sns("x", s3ObjectKey=[KEY]), "several formats"),
    "only a bucket": (text({"s3Bucket": BUCKET}), "no key of a known format"),
    "a record of CloudTrail": ('{"eventVersion":"1.11","eventName":"x"}', "no key of a known"),
    # CloudTrail's own
    "no bucket": (text({"s3ObjectKey": [KEY]}), "missing required field `s3Bucket`"),
    "a bucket of another type": (text({"s3Bucket": 1, "s3ObjectKey": [KEY]}), "`$.s3Bucket`"),
    "no keys": (own(), "contains no key"),
    "an empty key": (own(KEY, ""), "s3ObjectKey[1]: the key has 0 bytes"),
    "a key of another type": (text({"s3Bucket": BUCKET, "s3ObjectKey": [KEY, 1]}), "[1]"),
    "a key of 1,025 bytes": (own(KEY, "k" * 1023 + "ü"), "[1]: the key has 1025 bytes"),
    # S3 events
    "no entries": (s3(), "Records is empty"),
    "entries of another type": (text({"Records": {}}), "Expected `array`"),
    "an entry of another type": (text({"Records": [entry(), 1]}), "`$.Records[1]`"),
    "no eventName": (s3(entry(), without("eventName", entry())), "field `eventName`"),
    "CloudTrail's log itself": (
        s3(entry() | {"eventVersion": "1.11", "eventSource": "iam.amazonaws.com"}),
        "Records[0]: eventSource is 'iam.amazonaws.com', not aws:s3",
    ),
    "a major version to come": (s3(entry() | {"eventVersion": "3.0"}), "eventVersion is '3.0'"),
    "a version that begins alike": (s3(entry() | {"eventVersion": "20.1"}), "eventVersion is"),
    "an event to come": (s3(entry(), entry(name="ObjectMoved:Put")), "Records[1]: eventName"),
    "an event that begins alike": (s3(entry(name="ObjectCreatedBy:Put")), "is unknown"),
    "no s3": (s3(entry(), without("s3", entry())), "Records[1].s3: "),
    "no object": (s3_of(object=None), "`$.object`"),
    "no key": (s3_of(object={}), "field `key`"),
    "a key of nothing": (encoded(""), "the key has 0 bytes"),
    "escapes of latin-1": (encoded("%FC"), "is percent-encoded, but not as UTF-8"),
    "half an escaped letter": (encoded("%C3x"), "is percent-encoded, but not as UTF-8"),
    "a percent sign of its own": (encoded("100%"), "is not form-encoded"),
    "no digits after it": (encoded("%zz%2B"), "is not form-encoded"),
    "1,025 bytes once decoded": (encoded("%C3%BC" * 512 + "k"), "the key has 1025 bytes"),
    "a version of another type": (s3_of(object={"key": "k", "versionId": 1}), "versionId"),
    "a version with a line break": (s3(entry(versionId="a\nb")), "version 'a\\nb' is not one"),
    "a version without end": (s3(entry(versionId="v" * 1025)), "the version 'vvv"),
    "an etag with a space": (s3(entry(eTag="a b")), "the etag 'a b' is not one"),
    "another Event": (text({"Event": "autoscaling:TEST_NOTIFICATION"}), "is not s3:TestEvent"),
    "an Event of another type": (text({"Event": {}}), "the Event <dict>"),
    # EventBridge
    "no source": (text({"detail-type": "Object Created"}), "field `source`"),
    "no detail": (text({"detail-type": "Object Created", "source": "aws.s3"}), "detail: "),
    "another source": (
        text({"detail-type": "Object Created", "source": "acme.files"}), "'acme.files', not of",
    ),
    "an event of S3 to come": (eventbridge(kind="Object Moved"), "of aws.s3, which is unknown"),
    "one API call": (
        text({"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": {}}),
        "'AWS API Call via CloudTrail': a single record, which is not supported",
    ),
    "one call of Config": (
        text({"detail-type": "AWS API Call via CloudTrail", "source": "aws.config"}),
        "not supported",
    ),
    # AWS Config, SNS
    "another messageType": (config("Other"), "messageType 'Other' is not one of AWS Config's"),
    "a messageType of another type": (config(["x"]), "messageType <list>"),
    "Config and CloudTrail": (config(s3Bucket=BUCKET, s3ObjectKey=[KEY]), "several formats"),
    "Config and S3": (config(Records=[entry()]), "several formats"),
    "another Type": (confirmation("Other"), "SNS sends a message of unknown Type 'Other'"),
    "a Type of another type": (confirmation(["Notification"]), "unknown Type <list>"),
    "no Type": (text({"TopicArn": TOPIC, "Message": own(KEY)}), "unknown Type <NoneType>"),
    "a Message that is no text": (
        sns(json.loads(own(KEY))), "an SNS envelope whose Message is <dict>, not a text",
    ),
    "four envelopes": (sns(sns(sns(sns(own(KEY))))), "more than 3 nested SNS envelopes"),
    "words in an envelope": (sns("hello"), "inside sns: not JSON"),
    "words in two": (sns(sns("hello")), "inside sns/sns: not JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "why"), NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_a_refusal_says_where_and_why(body, why):
    fault = refusal(body)

    assert fault.reason == "not-understood"
    assert why in fault.detail


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "bucket",
    [
        "", "ab", "b" * 256, "a..b", "-ab", "ab-", ".ab", "192.0.2.1",
        "../../etc", "a/b", "a b", "a\n", "b\u00fccher", "a@example.com", "acme%2Flogs", "ab\x00",
    ],
    ids=repr,
)  # fmt: skip
def test_an_invalid_bucket_name_is_refused_in_every_shape(shape, bucket):
    body = SHAPES[shape](KEY).replace(f'"{BUCKET}"', json.dumps(bucket))

    assert "is not a valid bucket name" in refusal(body).detail


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bucket", ["Upper", "under_score", "b" * 64, "B_" * 127 + "b"], ids=len)
def test_a_bucket_may_have_a_name_from_before_2018(shape, bucket):
    body = SHAPES[shape](KEY).replace(f'"{BUCKET}"', json.dumps(bucket))

    assert [ref.bucket for ref in decode(body).objects] == [bucket]


@pytest.mark.parametrize("shape", ["cloudtrail", "s3"])
def test_more_objects_than_allowed_are_refused(shape):
    body = {"cloudtrail": own("a", "b", "c"), "s3": s3(entry("a"), entry("b"), entry("c"))}[shape]

    fault = refusal(sns(body), max_objects=2)

    assert fault.reason == "too-many-objects"
    assert fault.detail == "inside sns: the message names 3 objects; at most 2 are allowed"


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_an_sns_subscription_message_is_refused_for_a_person(kind):
    fault = refusal(confirmation(kind))

    assert fault.reason == "subscription"
    assert TOPIC in fault.detail


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("[" * 1_048_576, id="arrays"),
        pytest.param('{"s3Bucket":' * 80_000, id="objects"),
        pytest.param(sns("[" * 1_000_000), id="arrays in an envelope"),
        pytest.param("9" * 1_048_576, id="digits"),
        pytest.param(own("%" * 1_000_000), id="one key"),
        pytest.param(encoded("%C3" * 300_000), id="escapes"),
        pytest.param(own(KEY, bucket="a." * 500_000), id="dots"),
        pytest.param(text({"Records": [{}] * 300_000}), id="empty entries"),
        pytest.param(confirmation(TopicArn="arn:aws" + "-" * 1_000_000), id="a topic"),
    ],
)
def test_the_largest_message_is_refused_at_once(body):
    began = time.perf_counter()

    refusal(body)
    subscription_confirm_command(body)

    assert time.perf_counter() - began < 5


def answer(body):
    try:
        return decode(body)
    except Fault as fault:
        return fault


def understood_or_refused(body):
    """Check that *body* gives a notification, or a Fault with a known reason."""
    decoded = answer(body)
    if isinstance(decoded, Fault):
        assert REASONS[decoded.reason].status == "refused"
        assert len(decoded.detail) <= LONGEST
        assert decoded.detail.isascii()
    else:
        assert bool(decoded.objects) != bool(decoded.no_log)
        assert decoded.no_log in {"", *NO_LOG}
    assert subscription_confirm_command(body) is None or '"Token"' in body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
GOOD = [make(KEY) for make in SHAPES.values()]
GOOD += [sns(own(KEY)), text(S3_TEST), config(), confirmation()]


@given(st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_decoded_or_refused(body):
    understood_or_refused(body)
    understood_or_refused(sns(body.encode("utf-8", "replace").decode()))


@given(VALUES)
def test_any_json_is_decoded_or_refused(value):
    understood_or_refused(json.dumps(value))


@given(st.sampled_from(GOOD), st.data())
def test_a_valid_message_with_a_changed_character_is_decoded_or_refused(good, data):
    at = data.draw(st.integers(0, len(good) - 1))
    put = data.draw(st.text(st.sampled_from('{}[]",:\\%+0aü\ud800\x00'), max_size=2))

    understood_or_refused(good[:at] + put + good[at + 1 :])


def spots(value, path=()):
    """Yield the path to every value inside *value*."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield (*path, key)
        yield from spots(value[key], (*path, key))


@given(st.sampled_from(GOOD), st.sampled_from(sorted(WRAPPINGS)), VALUES, st.data())
def test_a_valid_message_with_a_changed_value_is_decoded_or_refused(good, wrap, value, data):
    changed = json.loads(good)
    path = data.draw(st.sampled_from(list(spots(changed))))
    within = changed
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = value

    understood_or_refused(WRAPPINGS[wrap](json.dumps(changed)))
