import asyncio

import pytest

from tests.support.aws_answers import Recording, reader, s3_error, s3_object, signer, together
from tests.support.http_stub import Reply
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

REF = ObjectRef("acme-trail", "k")
HOME = "us-east-1"


class Bucket:
    """A bucket in eu-central-1; *refusal* is S3's response to requests in other regions."""

    def __init__(self, refusal, *, head=True, location="eu-central-1", region="eu-central-1"):
        self.refusal = refusal
        self.head = head
        self.location = location
        self.region = region

    def __call__(self, request):
        if request.method == "HEAD":
            headers = (("x-amz-bucket-region", self.region),) if self.head else ()
            return Reply(403, headers=headers)
        if request.target.endswith("?location"):
            if self.location is None:
                return s3_error(403, "AccessDenied")
            body = f'<LocationConstraint xmlns="x">{self.location}</LocationConstraint>'
            return Reply(200, body.encode())
        if signer(request)[1] == self.region:
            return s3_object(b"found")
        return self.refusal


REFUSALS = {
    "PermanentRedirect": s3_error(
        301, "PermanentRedirect", ("x-amz-bucket-region", "eu-central-1")
    ),
    "PermanentRedirect by its endpoint": s3_error(
        301,
        "PermanentRedirect",
        inside="<Endpoint>acme-trail.s3.eu-central-1.amazonaws.com</Endpoint>",
    ),
    "PermanentRedirect that names nothing": s3_error(301, "PermanentRedirect"),
    "AuthorizationHeaderMalformed": s3_error(
        400, "AuthorizationHeaderMalformed", inside="<Region>eu-central-1</Region>"
    ),
    "IllegalLocationConstraintException": s3_error(400, "IllegalLocationConstraintException"),
    "TemporaryRedirect": s3_error(
        307, "TemporaryRedirect", ("x-amz-bucket-region", "eu-central-1")
    ),
}


@pytest.fixture(params=["k", "a//k"], ids=["obstore", "boto3"])
def ref(request):
    return ObjectRef("acme-trail", request.param)


def served(requests):
    """Return the regions in which objects were requested."""
    return [signer(each)[1] for each in requests if "k" in each.target and each.method == "GET"]


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_bucket_in_another_region_is_followed_reported_once_and_cached(refusal, ref):
    notices = []
    with Recording(Bucket(refusal)) as server:
        reads = reader(server.url, notices=notices, bucket_region="us-east-1")
        first = bytes(reads.open(ref).body())
        asked = len(server.requests)
        second = bytes(reads.open(ref).body())

    assert first == second == b"found"
    assert len(server.requests) == asked + 1
    fields = {"bucket": "acme-trail", "configured": "us-east-1", "actual": "eu-central-1"}
    assert notices == [("bucket_region_differs", fields)]


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_strict_region_reports_configured_and_actual_region(refusal, ref):
    with Recording(Bucket(refusal)) as server:
        reads = reader(server.url, bucket_region="us-east-1", strict_region=True)
        for _ in range(2):
            with pytest.raises(Fault) as raised:
                reads.open(ref)

            assert raised.value.reason == "region"
            message = "bucket_region is us-east-1, bucket acme-trail is in eu-central-1"
            assert message in raised.value.detail


def test_s3_is_asked_for_the_region_only_if_the_error_has_none():
    asked = {}
    for name, refusal in REFUSALS.items():
        with Recording(Bucket(refusal)) as server:
            reader(server.url, bucket_region="us-east-1").open(REF)
        asked[name] = any(request.method == "HEAD" for request in server.requests)

    assert {name for name, did in asked.items() if did} == {
        "PermanentRedirect that names nothing",
        "IllegalLocationConstraintException",
    }


def test_strict_region_without_bucket_region_follows():
    ref = ObjectRef("acme-trail", "k", region="us-east-1")

    with Recording(Bucket(REFUSALS["PermanentRedirect"])) as server:
        reads = reader(server.url, bucket_region=None, strict_region=True)
        assert bytes(reads.open(ref).body()) == b"found"


def test_the_messages_region_is_used_if_none_is_configured():
    ref = ObjectRef("acme-trail", "k", region="eu-central-1")

    with Recording(Bucket(REFUSALS["PermanentRedirect"])) as server:
        reader(server.url, bucket_region=None).open(ref).body()

    assert served(server.requests) == ["eu-central-1"]


@pytest.mark.parametrize(
    "region", ["example.com#", "eu-central-1.example.com", "../x", "", "x" * 99]
)
def test_an_invalid_region_in_a_message_is_ignored(region):
    ref = ObjectRef("acme-trail", "k", region=region)

    with Recording(Bucket(REFUSALS["PermanentRedirect"])) as server:
        got = reader(server.url, bucket_region=None).open(ref).body()

    assert bytes(got) == b"found"
    assert served(server.requests) == ["eu-central-1"]


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        (Bucket(REFUSALS["PermanentRedirect"]), "eu-central-1"),
        (Bucket(REFUSALS["PermanentRedirect"], head=False), "eu-central-1"),
        (Bucket(s3_object(b"x"), head=False, location="", region="us-east-1"), "us-east-1"),
        (Bucket(s3_object(b"x"), head=False, location="EU", region="eu-west-1"), "eu-west-1"),
        (Bucket(s3_object(b"x"), head=False, location=None, region="eu-west-1"), "eu-west-1"),
    ],
    ids=[
        "HeadBucket, even denied",
        "GetBucketLocation",
        "no location stands for us-east-1",
        "EU stands for eu-west-1",
        "nobody says: where the queue is",
    ],
)
def test_an_unknown_region_is_asked_for_once_per_bucket(bucket, expected):
    with Recording(bucket) as server:
        reads = reader(server.url, bucket_region=None)
        reads.open(REF).body()
        asked = len(server.requests)
        reads.open(REF).body()

    assert served(server.requests) == [expected] * 2
    assert len(server.requests) == asked + 1


def test_many_threads_ask_for_a_region_once():
    with Recording(Bucket(REFUSALS["PermanentRedirect"])) as server:
        reads = reader(server.url, bucket_region=None)
        got = together(8, lambda at: bytes(reads.open(ObjectRef("acme-trail", f"k{at}")).body()))

    assert got == [b"found"] * 8
    assert sum(request.method == "HEAD" for request in server.requests) == 1


def test_many_threads_share_one_failed_lookup():
    async def slowly(request):
        await asyncio.sleep(1)
        return Reply(404)

    with Recording(slowly) as server:
        reads = reader(server.url, bucket_region=None)
        got = together(8, lambda at: reads.open(ObjectRef("acme-trail", f"k{at}")))

    assert {type(each) for each in got} == {Fault}
    assert len(server.requests) == 1


def test_many_threads_report_another_region_once():
    notices = []
    with Recording(Bucket(REFUSALS["PermanentRedirect"])) as server:
        reads = reader(server.url, notices=notices, bucket_region="us-east-1")
        got = together(8, lambda at: bytes(reads.open(ObjectRef("acme-trail", f"k{at}")).body()))

    assert got == [b"found"] * 8
    assert len(notices) == 1


def test_a_bucket_that_does_not_exist_is_missing():
    with Recording(lambda request: Reply(404)) as server, pytest.raises(Fault) as raised:
        reader(server.url, bucket_region=None).open(REF)

    assert (raised.value.reason, raised.value.where) == ("no-such-bucket", "acme-trail")


def test_a_redirect_to_the_same_region_is_not_followed():
    answer = s3_error(301, "PermanentRedirect", ("x-amz-bucket-region", "eu-west-1"))

    with Recording(lambda request: answer) as server, pytest.raises(Fault) as raised:
        reader(server.url).open(REF)

    assert raised.value.reason == "region"
    assert len(server.requests) == 2


def test_two_regions_that_name_each_other_are_not_followed_for_ever():
    def answer(request):
        other = "eu-west-1" if signer(request)[1] == "us-east-1" else "us-east-1"
        return s3_error(301, "PermanentRedirect", ("x-amz-bucket-region", other))

    with Recording(answer) as server, pytest.raises(Fault) as raised:
        reader(server.url).open(REF)

    assert raised.value.reason == "region"
