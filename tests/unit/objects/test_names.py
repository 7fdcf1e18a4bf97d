from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.aws_answers import Recording, reader, s3_object
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects.stores import obstore_can_read

KEYS = [
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/24/111122223333_x.json.gz",
    "with space",
    "trailing space ",
    "a/ ",
    " ",
    "plus+plus",
    "encoded%2Bplus",
    "encoded%2Fslash",
    "per%cent",
    "equals=a=b",
    "colon:a",
    "ask?a=b#c&d",
    "tilde~quote'star*(a)!",
    'back\\slash"<>[]{}|^`',
    "at@semi;comma,dollar$",
    "ü/ñ/日本語/\U0001f600",
    "e\u0301 is not \u00e9",
    "../up",
    "a/../b",
    "./a",
    "a/./b",
    "..",
    "...",
    "a//b",
    "//",
    "/leading",
    "trailing/",
    "new\nline",
    "tab\tbell\x07",
    "\x7f",
    "x" * 1024,
    "ü" * 512,
]


ASKED = b"asked for "  # what begins as a page does is no object


def asked_for(reads, key):
    """Return the key that an echoing server received, decoded."""
    answer = bytes(reads.open(ObjectRef("acme-trail", key)).body())
    return answer.removeprefix(ASKED).decode()


def echo(request):
    path = request.target.partition("?")[0].removeprefix("/acme-trail/")
    return s3_object(ASKED + unquote(path).encode())


@pytest.fixture(scope="module")
def reads():
    with Recording(echo) as server:
        yield reader(server.url)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:40])
def test_exactly_the_given_key_is_requested(reads, key):
    assert asked_for(reads, key) == key


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_exactly_the_given_key_is_requested_for_any_key(reads, key):
    assert asked_for(reads, key) == key


@pytest.mark.parametrize(
    ("key", "by_obstore"),
    [(key, not (set(key) & set("\n\t\x07\x7f") or key[0] == "/" or key[-1] == "/" or "//" in key
                or {".", ".."} & set(key.split("/")))) for key in KEYS],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_keys_that_obstore_can_read(key, by_obstore):
    assert obstore_can_read(key) == by_obstore


def test_a_key_that_is_not_unicode_is_refused(reads):
    with pytest.raises(Fault) as raised:
        asked_for(reads, "half a \ud83d")

    assert raised.value.reason == "unknown-key"


@pytest.mark.parametrize("key", ["a/../b", "..", "./a"])
def test_a_key_whose_path_a_proxy_would_change_is_refused(key):
    with Recording(echo) as proxy:
        network = Network(endpoint_url="http://127.0.0.1:1", http_proxy=proxy.url)
        with pytest.raises(Fault) as raised:
            asked_for(reader("", network=network), key)

    assert raised.value.reason == "unknown-key"
    assert proxy.requests == []
