import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks.paths import content_id, relative_path, safe_part

KEY = "logs/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/111122223333_Ab+1.json.gz"
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


def origin(key=KEY, *, bucket="acme-cloudtrail", version=None, etag="e1", announced=None):
    return Origin("prod", ObjectRef(bucket, key, version, announced), etag)


def test_the_path_has_source_account_region_and_date():
    path = relative_path(origin())

    assert path.parts[:-1] == ("prod", "111122223333", "us-east-1", "2026-11-23")
    assert re.fullmatch(r"111122223333_Ab_1\.json\.gz-[0-9a-f]{16}", path.name)


def test_a_key_of_unknown_shape_is_under_unknown():
    path = relative_path(origin("copies/2026/a b.json"))

    assert path.parts[:-1] == ("prod", "unknown", "unknown", "unknown")
    assert path.name.startswith("a_b.json-")


def test_the_name_is_the_first_100_characters():
    path = relative_path(origin("x" * 1024))

    assert path.name == "x" * 100 + "-" + content_id(origin("x" * 1024))


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
    assert safe_part(text, 64) == part


@given(st.text(), st.text(), st.text())
def test_no_path_leaves_the_folder_or_is_too_long(key, source, version):
    path = relative_path(Origin(source, ObjectRef("b", key, version), ""))

    assert len(path.parts) == 5
    assert all(PART.fullmatch(part) for part in path.parts)
    assert all(len(part) <= 117 for part in path.parts)


OTHERS = {
    "bucket": origin(bucket="acme-cloudtrail-2"),
    "folder": origin(KEY.replace("logs/", "copies/")),
    "etag": origin(etag="e2"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_different_objects_have_different_files(other):
    assert relative_path(other) != relative_path(origin())


def test_the_same_content_is_one_file_with_or_without_a_version():
    assert relative_path(origin(version="v1")) == relative_path(origin(announced="e1"))


def test_without_an_etag_versions_have_different_files():
    one, other = (origin(version=version, etag="") for version in ("v1", "v2"))

    assert relative_path(one) != relative_path(other)


def test_the_hash_does_not_change():
    assert content_id(origin("k")) == "5a7b441e121d4212"
