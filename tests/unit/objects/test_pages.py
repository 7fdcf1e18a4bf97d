"""A foreign answer in place of S3's is parked as a fault of the connection, not refused.

An object that was read by another library than obstore is told apart by its key.
"""

import gzip
import json

import pytest

from tests.support.aws_answers import Recording, reader, s3_object
from tests.support.http_stub import Reply
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in to the guest network</title></head></html>"
HTML = ("Content-Type", "text/html")
PLAIN = ("Content-Type", "application/octet-stream")
ETAG = ("ETag", '"0123"')
SIGNED = ("x-amz-request-id", "EXAMPLE")
LOG = gzip.compress(b'{"Records":[]}', mtime=0)  # the same in every process that collects tests
KEYS = {"obstore": "AWSLogs/k", "boto3": "AWSLogs//k"}

INSTEAD = {
    "a page": Reply(200, PAGE, (HTML,)),
    "a page with an etag": Reply(200, PAGE, (HTML, ETAG)),
    "a page that says nothing of its type": Reply(200, b" \r\n" + PAGE, (ETAG,)),
    "a page of another type": Reply(200, PAGE, (PLAIN, ETAG)),
    "an error in JSON": Reply(200, b'{"error": "log in"}', (PLAIN, ETAG)),
    "an error in XML": Reply(200, b"<Error><Code>Denied</Code></Error>", (PLAIN, ETAG)),
    "a text without an etag": Reply(200, b"log in first", (PLAIN,)),
    "nothing": Reply(200, b""),
    "a page that denies": Reply(403, PAGE, (HTML,)),
    "a page that finds nothing": Reply(404, PAGE, (HTML,)),
    "a text that finds nothing": Reply(404, b"no route", (("Content-Type", "text/plain"),)),
    "a redirect": Reply(302, b"", (("Location", "http://127.0.0.1:9/login"),)),
}


def fault_of(answer, ref):
    with Recording(lambda request: answer) as server:
        with pytest.raises(Fault) as raised:
            reader(server.url).open(ref).body()
        assert server.url.removeprefix("http://") in raised.value.detail
    return raised.value


@pytest.mark.parametrize("answer", INSTEAD)
@pytest.mark.parametrize("by", KEYS)
def test_a_foreign_answer_is_a_fault_of_the_connection(by, answer):
    fault = fault_of(INSTEAD[answer], ObjectRef("acme-trail", KEYS[by]))

    assert (fault.reason, fault.where) == ("not-aws", "acme-trail")
    assert fault.detail.isprintable()


@pytest.mark.parametrize("by", KEYS)
def test_another_size_than_announced_is_a_fault_of_the_connection(by):
    ref = ObjectRef("acme-trail", KEYS[by], etag="0123", size=len(LOG) + 1)

    assert fault_of(s3_object(LOG), ref).reason == "not-aws"


def test_the_first_bytes_are_quoted():
    fault = fault_of(INSTEAD["a page"], ObjectRef("acme-trail", "k"))

    assert "text/html" in fault.detail
    assert "<!DOCTYPE html>\\n<html><head><title>Log in" in fault.detail


@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, PAGE, (HTML, ETAG, SIGNED)),
        Reply(200, PAGE, (PLAIN, ETAG, SIGNED)),
        Reply(200, b'{"error": "no log"}', (PLAIN, ETAG, SIGNED)),
        Reply(200, LOG, (HTML, ETAG, SIGNED)),
        Reply(200, LOG, (ETAG,)),
        Reply(200, b'\xef\xbb\xbf {"Records": []}', (ETAG,)),
        Reply(200, b"", (ETAG,)),
        Reply(200, b"neither page nor log", (ETAG,)),
    ],
    ids=repr,
)
def test_any_content_stored_in_s3_is_read(by, answer):
    with Recording(lambda request: answer) as server:
        got = reader(server.url).open(ObjectRef("acme-trail", KEYS[by])).body()

    assert bytes(got) == answer.body


def test_a_log_is_read_with_one_request():
    log = json.dumps({"Records": [{"eventID": "1"}]}).encode()

    with Recording(lambda request: s3_object(log)) as server:
        reader(server.url).open(ObjectRef("acme-trail", "k", etag="0123", size=len(log))).body()

    assert len(server.requests) == 1


def test_a_page_that_is_gone_at_the_second_request_is_discarded():
    answers = iter([Reply(200, PAGE, (PLAIN, ETAG)), s3_object(LOG, "another")])

    with Recording(lambda request: next(answers)) as server, pytest.raises(Fault) as raised:
        reader(server.url).open(ObjectRef("acme-trail", "k")).body()

    assert raised.value.reason == "cut-short"


def test_a_page_in_response_to_a_region_lookup_ends_the_lookup():
    page = Reply(200, PAGE, (HTML,))

    with Recording(lambda request: page) as server, pytest.raises(Fault) as raised:
        reader(server.url, bucket_region=None).open(ObjectRef("acme-trail", "k"))

    assert raised.value.reason == "not-aws"
