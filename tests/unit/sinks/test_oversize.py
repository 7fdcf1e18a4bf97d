import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.errors import Rejected
from trailcourier.sinks.oversize import KEPT_MEMBERS, MARKER, fit_record

IDENTITY = b'"eventID":"6e9b","eventName":"PutItem","userIdentity":{ "type" : "Root" }'
LARGE = b'{"a":"' + b"x" * 3000 + b'"}'
RECORD = b"{" + IDENTITY + b',"requestParameters":' + LARGE + b',"responseElements":{"n":1.0}}'

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(sorted(KEPT_MEMBERS)) | st.text(max_size=40)


@pytest.mark.parametrize("policy", ["refuse", "truncate"])
def test_a_record_of_exactly_the_limit_is_unchanged(policy):
    assert fit_record(RECORD, len(RECORD), policy) is RECORD


def test_a_record_one_byte_too_large_is_refused_with_both_sizes():
    with pytest.raises(Rejected, match=f"{len(RECORD)} bytes.*accepts {len(RECORD) - 1}") as raised:
        fit_record(RECORD, len(RECORD) - 1, "refuse")

    assert raised.value.reason == "record-too-large"


def test_the_largest_member_becomes_null_and_the_others_keep_their_bytes():
    smaller = fit_record(RECORD, 1024, "truncate")

    digest = hashlib.sha256(RECORD).hexdigest()
    assert smaller == (
        b"{" + IDENTITY + b',"requestParameters":null,"responseElements":{"n":1.0},'
        b'"trailcourierTruncated":{"bytes":%d,"sha256":"%b","members":["requestParameters"]}}'
        % (len(RECORD), digest.encode())
    )


def test_the_largest_members_are_removed_until_the_record_fits():
    sizes = {"additionalEventData": 900, "responseElements": 2000, "requestParameters": 1500}
    record = json.dumps({"eventID": "1"} | {name: "x" * size for name, size in sizes.items()})

    smaller = json.loads(fit_record(record.encode(), 1300, "truncate"))

    assert smaller[MARKER]["members"] == ["responseElements", "requestParameters"]
    assert smaller["additionalEventData"] == "x" * 900


def test_a_record_whose_kept_members_are_too_large_is_refused():
    record = json.dumps({"eventID": "1", "userIdentity": {"arn": "x" * 3000}}).encode()

    with pytest.raises(Rejected, match="never removed are too large"):
        fit_record(record, 1024, "truncate")


def test_a_marker_in_the_record_is_replaced():
    record = json.dumps({MARKER: "y" * 9000, "requestParameters": "x" * 3000}).encode()

    smaller = fit_record(record, 1024, "truncate")

    assert smaller.count(MARKER.encode()) == 1
    assert json.loads(smaller)[MARKER]["members"] == ["requestParameters"]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"[" + b"1," * 1000 + b"1]", id="array"),
        pytest.param(b'{"a":"' + b"x" * 2000, id="cut"),
        pytest.param(b'{"\xff":"' + b"x" * 2000 + b'"}', id="not-utf8"),
        pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep"),
    ],
)
def test_a_record_that_is_not_a_json_object_is_refused(record):
    with pytest.raises(Rejected) as raised:
        fit_record(record, 1024, "truncate")

    assert raised.value.reason == "record-too-large"


@given(st.dictionaries(names, values, max_size=12), st.integers(1, 2000), st.booleans())
def test_a_truncated_record_fits_and_lists_the_removed_members(members, limit, ascii_only):
    record = json.dumps(members, ensure_ascii=ascii_only).encode(errors="replace")
    members = json.loads(record)

    try:
        smaller = fit_record(record, limit, "truncate")
    except Rejected:
        assert len(record) > limit
        return

    assert len(smaller) <= limit
    if smaller == record:
        return
    truncated = json.loads(smaller)
    mark = truncated.pop(MARKER)
    removed = set(mark["members"])
    assert not removed & KEPT_MEMBERS
    assert mark["bytes"] == len(record)
    assert mark["sha256"] == hashlib.sha256(record).hexdigest()
    assert truncated == {k: None if k in removed else v for k, v in members.items() if k != MARKER}
