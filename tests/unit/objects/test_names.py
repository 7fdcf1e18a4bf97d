from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.aws_answers import Recording, reader, s3_object
from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects.stores import readable

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


def asked_for(reads, key):
    """The key a server that echoes it was asked for, as it decodes it."""
    return bytes(reads.open(ObjectRef("acme-trail", key)).body()).decode()


def echo(request):
    path = request.target.partition("?")[0].removeprefix("/acme-trail/")
    return s3_object(unquote(path).encode())


@pytest.fixture(scope="module")
def reads():
    with Recording(echo) as server:
        yield reader(server.url)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: repr(key)[:40])
def test_exactly_the_key_is_asked_for(reads, key):
    assert asked_for(reads, key) == key


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_exactly_any_key_is_asked_for(reads, key):
    assert asked_for(reads, key) == key


@pytest.mark.parametrize(
    ("key", "by_obstore"),
    [(key, not (set(key) & set("\n\t\x07\x7f") or key[0] == "/" or key[-1] == "/" or "//" in key
                or {".", ".."} & set(key.split("/")))) for key in KEYS],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_which_keys_obstore_may_be_asked_for(key, by_obstore):
    assert readable(key) == by_obstore


def test_what_is_no_text_is_refused(reads):
    with pytest.raises(Fault) as raised:
        asked_for(reads, "half a \ud83d")

    assert raised.value.reason == "unknown-key"


@pytest.mark.parametrize("key", ["a/../b", "..", "./a"])
def test_a_proxy_is_never_given_a_path_it_would_change(key):
    with Recording(echo) as proxy:
        egress = Egress(endpoint_url="http://127.0.0.1:1", http_proxy=proxy.url)
        with pytest.raises(Fault) as raised:
            asked_for(reader("", egress=egress), key)

    assert raised.value.reason == "unknown-key"
    assert proxy.requests == []
