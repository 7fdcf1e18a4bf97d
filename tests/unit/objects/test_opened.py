import time
from io import BytesIO

import pytest
from botocore.response import StreamingBody

from tests.support.aws_answers import Recording, Torn, reader, s3_object
from tests.support.http_stub import Reply
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects.opened import OpenedByBoto3

READ_BY = {"obstore": "AWSLogs/k", "boto3": "AWSLogs//k"}


@pytest.fixture(params=READ_BY)
def ref(request):
    """An object that obstore reads, and one that boto3 reads."""
    return ObjectRef("acme-trail", READ_BY[request.param])


def resumed(request, body, etag="0123"):
    first = int(request.headers["range"].removeprefix("bytes=").partition("-")[0])
    whole = f"bytes {first}-{len(body) - 1}/{len(body)}"
    reply = s3_object(body[first:], etag)
    return reply._replace(status=206, headers=(*reply.headers, ("Content-Range", whole)))


def test_a_body_cut_short_is_a_fault(ref):
    with Recording(lambda request: s3_object(b"x" * 100, length=500)._replace(cut=100)) as server:
        opened = reader(server.url).open(ref)
        with pytest.raises(Fault) as raised:
            opened.body()

    assert raised.value.reason == "cut-short"
    assert "500" in raised.value.detail


@pytest.mark.parametrize("then", ["reset", "stall"])
def test_a_stalled_body_is_a_fault(ref, then):
    with Torn(b"x" * 100, 500, then) as server:
        opened = reader(server.url, read_timeout=0.5).open(ref)
        with pytest.raises(Fault) as raised:
            opened.body()

    assert raised.value.reason == "cut-short"


def test_a_slow_body_times_out(ref):
    with Torn(b"x" * 100_000, 100_000_000, "drip") as server:
        opened = reader(server.url, most=1 << 30, total_timeout=0.5).open(ref)
        began = time.monotonic()
        with pytest.raises(Fault) as raised:
            opened.body()

    assert raised.value.reason == "cut-short"
    assert time.monotonic() - began < 10


def test_a_broken_body_is_resumed():
    body = bytes(range(256)) * 4

    def answer(request):
        return (
            resumed(request, body)
            if "range" in request.headers
            else s3_object(body)._replace(cut=100)
        )

    with Recording(answer) as server:
        got = reader(server.url).open(ObjectRef("acme-trail", "k")).body()

    assert bytes(got) == body
    assert len(server.requests) == 2


def test_a_broken_body_is_not_resumed_from_other_content():
    def answer(request):
        if "range" in request.headers:
            return resumed(request, b"y" * 500, etag="another")
        return s3_object(b"x" * 500)._replace(cut=100)

    with Recording(answer) as server, pytest.raises(Fault) as raised:
        reader(server.url).open(ObjectRef("acme-trail", "k")).body()

    assert raised.value.reason == "cut-short"


def test_a_stream_that_ends_early_without_an_error_is_a_fault():
    opened = OpenedByBoto3(
        ObjectRef("acme-trail", "k"), "eu-west-1", etag="", size=5,
        stream=StreamingBody(BytesIO(b"abc"), None), timeout=10, host="127.0.0.1", from_s3=True,
    )  # fmt: skip

    with pytest.raises(Fault) as raised:
        opened.body()

    assert raised.value.reason == "cut-short"
    assert "3 of 5 bytes" in raised.value.detail


def test_an_object_without_an_etag_has_an_empty_one(ref):
    answer = Reply(200, b"x", (("x-amz-request-id", "EXAMPLE"),))
    with Recording(lambda request: answer) as server:
        assert reader(server.url).open(ref).etag == ""


def test_closing_twice_and_after_reading_is_harmless(ref):
    with Recording(lambda request: s3_object(b"x" * 100)) as server:
        opened = reader(server.url).open(ref)
        opened.body()

        opened.close()
        opened.close()


def test_closing_releases_the_connection():
    with Recording(lambda request: s3_object(b"x" * 100)) as server:
        opened = reader(server.url).open(ObjectRef("acme-trail", "k"))
        opened.close()

        with pytest.raises(ValueError, match="after close"):
            opened.body()


def test_an_object_closed_unread_can_be_opened_again(ref):
    with Recording(lambda request: s3_object(b"x" * 100)) as server:
        reads = reader(server.url)
        reads.open(ref).close()

        assert len(reads.open(ref).body()) == 100
