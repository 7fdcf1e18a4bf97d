import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks.places import identity, location, safe

KEY = "logs/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/111122223333_Ab+1.json.gz"
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


def origin(key=KEY, *, bucket="acme-cloudtrail", version=None, etag="e1", announced=None):
    return Origin("prod", ObjectRef(bucket, key, version, announced), etag)


def test_a_log_file_lies_under_source_account_region_and_date():
    path = location(origin())

    assert path.parts[:-1] == ("prod", "111122223333", "us-east-1", "2026-11-23")
    assert re.fullmatch(r"111122223333_Ab_1\.json\.gz-[0-9a-f]{16}", path.name)


def test_a_key_of_no_known_shape_lies_under_unknown():
    path = location(origin("copies/2026/a b.json"))

    assert path.parts[:-1] == ("prod", "unknown", "unknown", "unknown")
    assert path.name.startswith("a_b.json-")


def test_the_name_is_the_first_100_characters():
    path = location(origin("x" * 1024))

    assert path.name == "x" * 100 + "-" + identity(origin("x" * 1024))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("..", "_."),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("", "_"),
        ("a\0b\nc", "a_b_c"),
        ("Zürich=雪", "Z_rich__"),
        ("a:b%2Fc+d e", "a_b_2Fc_d_e"),
    ],
)
def test_an_unsafe_character_is_replaced(text, part):
    assert safe(text, 64) == part


@given(st.text(), st.text(), st.text())
def test_nothing_leads_out_of_the_folder_or_is_too_long(key, source, version):
    path = location(Origin(source, ObjectRef("b", key, version), ""))

    assert len(path.parts) == 5
    assert all(PART.fullmatch(part) for part in path.parts)
    assert all(len(part) <= 117 for part in path.parts)


OTHERS = {
    "bucket": origin(bucket="acme-cloudtrail-2"),
    "folder": origin(KEY.replace("logs/", "copies/")),
    "etag": origin(etag="e2"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_object_is_another_file(other):
    assert location(other) != location(origin())


def test_the_same_content_is_one_file_whether_the_notice_named_a_version_or_not():
    assert location(origin(version="v1")) == location(origin(announced="e1"))


def test_without_an_etag_the_version_tells_apart():
    one, other = (origin(version=version, etag="") for version in ("v1", "v2"))

    assert location(one) != location(other)


def test_the_hash_stays_what_it_is():
    assert identity(origin("k")) == "5a7b441e121d4212"
