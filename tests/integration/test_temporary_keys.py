"""Temporary keys of each kind expire, and SQS and S3 continue with new ones.

A queue is asked by boto3, an object by obstore; both have their keys of the source's session.
"""

import gzip

import pytest

from tests.support.fleet import until
from tests.support.issuers import ROLE, Imds, Keys, PodAgent, Sts
from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub
from trailcourier.aws import metadata, regions, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.aws.sqs import Queue
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects import BucketAccess, Reader
from trailcourier.secret import Secret

WHOSE = ROLE.format("111122223333", "collector")
REF = ObjectRef("acme-logs", "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/24/a.json.gz")
FRESH = 300  # seconds of life; botocore renews a chain's keys from ten minutes before their end
KINDS = ["role", "pod-identity", "web-identity", "instance-profile", "instance"]


class Aws:
    """A queue, a bucket, and the issuers of keys that both accept."""

    def __init__(self, sqs, s3):
        self.keys = Keys()
        self.sqs, self.s3 = sqs, s3
        self.sts = Sts(self.keys)
        self.agent = PodAgent(self.keys, WHOSE, "pod-one")
        self.imds = Imds(self.keys, WHOSE)
        sqs.create("trail")
        s3.put(REF.bucket, REF.key, gzip.compress(b"{}"))
        sqs.refuses = s3.refuses = self.keys.refuses(WHOSE)

    def close(self):
        for each in (self.sts, self.agent, self.imds):
            each.server.close()

    @property
    def refused(self):
        return [code for (_, code), times in self.keys.used.items() if code for _ in range(times)]


@pytest.fixture
def cloud():
    with SqsStub() as sqs, S3Stub() as s3:
        made = Aws(sqs, s3)
        yield made
        made.close()


class Collector:
    """The queue and the reader of one source, which share a session."""

    def __init__(self, cloud, credentials, *, own=False):
        network = Network(
            endpoints=(("s3", cloud.s3.url), ("sqs", cloud.sqs.url), ("sts", cloud.sts.url))
        )
        self.session = sessions.make_session(
            credentials, source="prod", sts_region="us-east-1", network=network
        )
        reach = BucketAccess(home="us-east-1", network=network, bucket_region="us-east-1")
        self.notices = []
        self.reader = Reader(
            self.session, reach, max_compressed=1 << 20, bucket_credentials=own,
            notify=lambda *notice: self.notices.append(notice),
        )  # fmt: skip
        address = regions.parse_queue_url(cloud.sqs.queue_url("trail"), "us-east-1")
        self.queue = Queue(self.session, address, network=network)

    def receive(self):
        return self.queue.receive(most=1, wait=0, visibility=30)

    def read(self):
        return self.reader.open(REF).body()


@pytest.fixture
def collect(cloud, monkeypatch, tmp_path):
    """Make a collector with keys of *kind*, in an environment like AWS's."""
    token = tmp_path / "token"

    def rotate(text):
        """Put a new token where the old one was, which is good no longer."""
        token.write_text(text)
        cloud.agent.token = text
        cloud.sts.tokens = {text}

    def made(kind, **more):
        given = Credentials()
        match kind:
            case "role":
                cloud.sts.external_ids[WHOSE] = "our-id"
                given = Credentials(
                    kind="assume-role", role_arn=WHOSE, external_id=Secret.public("our-id"),
                    access_key_id=Secret.public("AKIAONE"), secret_access_key=Secret.public("x"),
                )  # fmt: skip
            case "pod-identity":
                monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud.agent.url)
                monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
            case "web-identity":
                monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
                monkeypatch.setenv("AWS_ROLE_ARN", WHOSE)
                monkeypatch.setenv("AWS_ENDPOINT_URL_STS", cloud.sts.url)
            case _:
                monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
                monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.imds.url)
                given = Credentials(
                    kind="instance-profile" if kind == "instance-profile" else "default"
                )
        rotate("pod-one")
        collector = Collector(cloud, given, **more)
        collector.rotate = rotate
        collector.token = token
        return collector

    return made


@pytest.mark.parametrize("kind", KINDS)
def test_queue_and_bucket_are_called_with_the_issued_keys(cloud, collect, kind):
    collector = collect(kind)

    collector.receive()
    collector.read()

    assert cloud.keys.times(WHOSE) == 1
    assert cloud.keys.used == {(WHOSE, ""): 2}
    assert collector.notices == []  # obstore read it, and boto3 did not have to


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["receive", "read"])
def test_expired_keys_are_a_fault_once_and_then_replaced(cloud, collect, kind, path):
    collector = collect(kind)
    ask = getattr(collector, path)
    ask()
    cloud.keys.end(WHOSE)
    collector.rotate("pod-two")

    with pytest.raises(Fault) as raised:
        ask()
    ask()

    assert raised.value.reason == "credentials"
    assert "ExpiredToken" in raised.value.detail
    assert cloud.keys.times(WHOSE) == 2


@pytest.mark.parametrize("kind", ["pod-identity", "web-identity"])
@pytest.mark.parametrize("path", ["receive", "read"])
def test_a_pods_token_is_read_again_when_its_keys_are_renewed(cloud, collect, kind, path):
    cloud.keys.lives = FRESH
    collector = collect(kind)
    ask = getattr(collector, path)
    ask()
    collector.rotate("pod-two")
    cloud.keys.lives = 3600

    ask()
    ask()

    shown = cloud.agent.shown or [each["WebIdentityToken"] for each in cloud.sts.asked]
    assert (shown[0], shown[-1]) == ("pod-one", "pod-two")
    assert shown == sorted(shown)  # the old one never again
    assert cloud.refused == []


@pytest.mark.parametrize("kind", ["pod-identity", "web-identity"])
def test_a_rejected_token_is_a_fault_of_the_credentials(cloud, collect, kind):
    collector = collect(kind)
    collector.token.write_text("stale")

    for ask in (collector.receive, collector.read):
        with pytest.raises(Fault) as raised:
            ask()
        assert raised.value.reason == "credentials"
    collector.token.write_text("pod-one")
    collector.receive()


@pytest.mark.parametrize("kind", ["pod-identity", "web-identity"])
def test_a_missing_token_file_is_a_fault_of_the_credentials(cloud, collect, kind):
    collector = collect(kind)
    collector.token.unlink()

    for ask in (collector.receive, collector.read):
        with pytest.raises(Fault) as raised:
            ask()
        assert raised.value.reason == "credentials"
        assert str(collector.token) in raised.value.detail


def test_a_token_file_with_a_line_break_is_a_fault_of_the_credentials(cloud, collect):
    collector = collect("pod-identity")
    collector.token.write_text("pod-one\n")

    with pytest.raises(Fault) as raised:
        collector.receive()

    assert raised.value.reason == "credentials"
    assert "not a legal header value" in raised.value.detail


@pytest.fixture
def far(cloud, monkeypatch):
    """Run in a container, one hop further away than the instance's hop limit."""
    monkeypatch.setattr(metadata, "TIMEOUT", 1)
    cloud.imds.far = True


@pytest.mark.parametrize("kind", ["instance-profile", "instance"])
def test_a_hop_limit_of_one_is_reported(cloud, collect, far, monkeypatch, kind):
    collector = collect(kind)

    for ask in (collector.receive, collector.read):
        with pytest.raises(Fault) as raised:
            ask()
        assert raised.value.reason == "instance-metadata"
        assert f"PUT {cloud.imds.url}/latest/api/token" in raised.value.detail
        assert "hop limit" in raised.value.detail
    cloud.imds.far = False
    monkeypatch.setattr(metadata, "TIMEOUT", 30)
    collector.receive()

    versions = {status for method, _, status in cloud.imds.asked if method == "GET"}
    assert versions == ({200} if kind == "instance-profile" else {200, 401})


def test_a_hop_limit_of_one_at_renewal_is_reported(cloud, collect, far):
    cloud.imds.far = False
    collector = collect("instance-profile")
    collector.receive()
    cloud.keys.end(WHOSE)
    cloud.imds.far = True

    reasons = []
    for _ in range(2):
        with pytest.raises(Fault) as raised:
            collector.receive()
        reasons.append(raised.value.reason)

    assert reasons == ["credentials", "instance-metadata"]


def test_a_fault_of_bucket_credentials_does_not_stop_the_source(collect, far):
    collector = collect("instance-profile", own=True)

    with pytest.raises(Fault) as raised:
        collector.read()

    assert raised.value.reason == "bucket-credentials"
    assert "hop limit" in raised.value.detail


def test_without_a_metadata_service_no_hop_limit_is_reported(cloud, collect):
    collector = collect("instance")
    cloud.imds.server.refuse()

    with pytest.raises(Fault) as raised:
        collector.receive()

    assert raised.value.reason == "credentials"
    assert "NoCredentialsError" in raised.value.detail


def test_a_disabled_metadata_service_is_not_asked(cloud, collect, far, monkeypatch):
    collector = collect("instance")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(Fault) as raised:
        collector.receive()

    assert raised.value.reason == "credentials"
    assert cloud.imds.asked == []


def test_the_shortest_role_session_is_not_renewed_with_every_request(cloud, collect):
    """AWS's shortest session has fifteen minutes, which botocore would spend renewing it."""
    cloud.keys.lives = 898  # two seconds of them are over
    collector = collect("role")

    for _ in range(5):
        collector.receive()
        collector.read()

    assert cloud.keys.times(WHOSE) == 1


def test_keys_whose_renewal_fails_are_used_until_they_expire(cloud, collect):
    cloud.keys.lives = 12  # so that three seconds are left when renewing is tried
    collector = collect("role")
    collector.receive()
    cloud.sts.closed = "AccessDenied"

    def tried():
        """Renewing is tried from a quarter before the end on."""
        collector.receive()
        return len(cloud.sts.asked) > 1

    until(tried)
    collector.read()
    cloud.sts.closed = ""
    collector.receive()

    assert cloud.refused == []
    assert cloud.keys.times(WHOSE) == 2
