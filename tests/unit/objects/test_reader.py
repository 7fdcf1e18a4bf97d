import gzip

import pytest

from tests.support.aws_answers import Recording, reader, s3_error, s3_object, signer, together
from tests.support.http_stub import Reply
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects import BucketAccess, Reader

REF = ObjectRef("acme-trail", "AWSLogs/1/x.json.gz")


def read(url, ref=REF, **more):
    with_bytes = reader(url, **more).open(ref)
    return bytes(with_bytes.body())


def fault_of(answer, ref=REF, **more):
    with Recording(answer) as server, pytest.raises(Fault) as raised:
        reader(server.url, **more).open(ref).body()
    return raised.value


def test_size_and_etag_are_known_before_the_body_is_read():
    with Recording(lambda request: s3_object(b"0123456789", "abc")) as server:
        opened = reader(server.url).open(REF)

        assert (opened.size, opened.etag, opened.region) == (10, "abc", "eu-west-1")
        assert bytes(opened.body()) == b"0123456789"


def test_an_object_over_the_limit_is_refused_without_reading_it():
    fault = fault_of(lambda request: s3_object(b"x" * 101), most=100)

    assert fault.reason == "too-large"
    assert "101" in fault.detail
    assert "100" in fault.detail


def test_an_object_of_exactly_the_limit_is_read():
    with Recording(lambda request: s3_object(b"x" * 100)) as server:
        assert len(read(server.url, most=100)) == 100


def test_an_empty_object_is_read():
    with Recording(lambda request: s3_object(b"")) as server:
        assert read(server.url) == b""


def test_a_declared_content_encoding_is_ignored():
    body = gzip.compress(b"the log")

    def answer(request):
        reply = s3_object(body)
        return reply._replace(headers=(*reply.headers, ("Content-Encoding", "gzip")))

    with Recording(answer) as server:
        assert read(server.url) == body


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", "access-denied"),
        (403, "InvalidAccessKeyId", "credentials"),
        (403, "SignatureDoesNotMatch", "credentials"),
        (400, "ExpiredToken", "credentials"),
        (403, "RequestTimeTooSkewed", "clock-skew"),
        (404, "NoSuchKey", "no-such-key"),
        (404, "NoSuchBucket", "no-such-bucket"),
        (403, "InvalidObjectState", "archived"),
        (405, "MethodNotAllowed", "delete-marker"),
        (412, "PreconditionFailed", "changed"),
        (400, "KMS.DisabledException", "kms"),
        (400, "RequestTimeout", "network"),
        (400, "KeyTooLongError", "no-such-key"),
        (400, "NobodyKnows", "s3-error"),
    ],
)
def test_an_error_of_s3_gets_the_reason_of_its_code(status, code, reason):
    fault = fault_of(lambda request: s3_error(status, code))

    assert (fault.reason, fault.where) == (reason, "acme-trail")
    assert str(REF) in fault.detail
    assert f"said {code}" in fault.detail


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (503, "SlowDown", "throttled"),
        (503, "ServiceUnavailable", "throttled"),
        (500, "InternalError", "aws-error"),
    ],
)
def test_a_transient_error_is_retried_twice_before_the_fault(status, code, reason):
    with (
        Recording(lambda request: s3_error(status, code)) as server,
        pytest.raises(Fault) as raised,
    ):
        reader(server.url).open(REF)

    assert raised.value.reason == reason
    assert len(server.requests) == 3


def test_a_slow_down_that_passes_causes_no_fault():
    answers = iter([s3_error(503, "SlowDown"), s3_object(b"in time")])

    with Recording(lambda request: next(answers)) as server:
        assert read(server.url) == b"in time"


def test_a_refused_connection_is_a_fault_of_the_network():
    with Recording(lambda request: None) as server:
        url = server.url

    with pytest.raises(Fault) as raised:
        reader(url).open(REF)

    assert raised.value.reason == "network"
    assert "127.0.0.1" in raised.value.detail


def test_a_server_that_hangs_times_out():
    import asyncio

    async def hang(request):
        await asyncio.Event().wait()

    fault = fault_of(hang, read_timeout=0.3)

    assert fault.reason == "network"


def test_the_object_must_have_the_messages_etag():
    with Recording(lambda request: s3_object(b"x")) as server:
        for ref in (
            ObjectRef("acme-trail", "k", etag="abc"),
            ObjectRef("acme-trail", "k", etag='"abc"'),
            ObjectRef("acme-trail", "k", etag="not\r\none"),
        ):
            read(server.url, ref)

    assert [each.headers.get("if-match") for each in server.requests] == ['"abc"', '"abc"', None]


def test_a_version_is_read_by_its_name():
    ref = ObjectRef("acme-trail", "k", version="a&b=1", etag="abc")

    with Recording(lambda request: s3_object(b"x")) as server:
        read(server.url, ref)

    (request,) = server.requests
    assert request.target.endswith("?versionId=a%26b%3D1")
    assert "if-match" not in request.headers


def test_the_newest_version_is_read_if_versions_are_denied_and_reported_once():
    def answer(request):
        denied = "versionId" in request.target
        return s3_error(403, "AccessDenied") if denied else s3_object(b"newest")

    notices = []
    with Recording(answer) as server:
        reads = reader(server.url, notices=notices)
        got = [
            bytes(reads.open(ObjectRef("acme-trail", f"k{at}", version="v1")).body())
            for at in range(3)
        ]

    assert got == [b"newest"] * 3
    assert notices == [("version_denied", {"bucket": "acme-trail"})]
    assert sum("versionId" in request.target for request in server.requests) == 2


def test_a_version_is_denied_if_the_object_is_too():
    fault = fault_of(
        lambda request: s3_error(403, "AccessDenied"), ObjectRef("acme-trail", "k", version="v1")
    )

    assert fault.reason == "access-denied"


@pytest.mark.parametrize(
    "bucket",
    ["", "a", "a/b", "a b", "-a", "arn:aws:s3:::x", "x?y", "x#y", "a\n", "ü" * 4, "a" * 256],
)
def test_an_invalid_bucket_name_makes_no_request(bucket):
    with Recording(lambda request: s3_object(b"x")) as server, pytest.raises(Fault) as raised:
        reader(server.url).open(ObjectRef(bucket, "k"))

    assert raised.value.reason == "bucket-not-allowed"
    assert server.requests == []


def test_the_expected_owner_is_a_signed_header():
    with Recording(lambda request: s3_object(b"x")) as server:
        assert read(server.url, owner="111122223333") == b"x"

    (request,) = server.requests
    assert request.headers["x-amz-expected-bucket-owner"] == "111122223333"
    assert "x-amz-expected-bucket-owner" in request.headers["authorization"]


def test_an_object_that_only_boto3_reads_is_read_and_reported():
    def answer(request):
        if "Boto3" in request.headers["user-agent"]:
            return s3_object(b"by boto3")
        return s3_error(400, "Odd")

    notices = []
    with Recording(answer) as server:
        assert read(server.url, notices=notices) == b"by boto3"

    assert [event for event, _ in notices] == ["read_by_boto3"]


def test_twelve_threads_read_twelve_objects():
    def answer(request):
        return s3_object(request.target.rpartition("/")[2].encode() * 1000)

    with Recording(answer) as server:
        reads = reader(server.url)

        def all_of(thread):
            refs = [ObjectRef("acme-trail", f"logs/{thread}-{at}") for at in range(20)]
            return [bytes(reads.open(ref).body()) for ref in refs]

        got = together(12, all_of)

    assert got == [[f"{thread}-{at}".encode() * 1000 for at in range(20)] for thread in range(12)]


def test_creating_a_reader_makes_no_request():
    with Recording(lambda request: Reply(500)) as server:
        assert isinstance(reader(server.url), Reader)

    assert server.requests == []


def test_requests_are_signed_for_the_region_with_the_sources_keys():
    with Recording(lambda request: s3_object(b"x")) as server:
        read(server.url)

    assert signer(server.requests[0]) == ("AKIAEXAMPLE", "eu-west-1")


def test_the_repr_of_bucket_access_hides_the_proxys_password():
    from trailcourier.aws.network import Network

    reach = BucketAccess(
        home="eu-west-1", network=Network(http_proxy="http://user:hidden@127.0.0.1:1")
    )

    assert "hidden" not in repr(reach)
