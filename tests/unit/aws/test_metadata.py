"""Metadata services are asked directly: a proxy is another host, with keys of its own."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.aws_answers import Recording, reader, s3_object, session
from tests.http_stub import Reply
from tests.issuers import Imds, Keys
from trailcourier import aws
from trailcourier.credentials import Credentials
from trailcourier.egress import Egress
from trailcourier.models import ObjectRef

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
PROFILE = """
[profile host]
role_arn = arn:aws:iam::111122223333:role/trailcourier
credential_source = {source}
"""


@pytest.fixture
def proxy(monkeypatch):
    """The proxy of the environment, which is named for everything and excepts nothing."""
    with Recording(lambda request: Reply(502)) as recording:
        for name in PROXIES:
            monkeypatch.setenv(name, recording.url)
        yield recording


@pytest.fixture
def imds(monkeypatch):
    service = Imds(Keys(), "the host")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
    with service.server:
        yield service


@pytest.fixture
def container(monkeypatch):
    """The service of a container's host, as ECS and EKS name it."""
    ends = datetime.now(UTC) + timedelta(hours=6)
    told = {
        "AccessKeyId": "ASIACONTAINER",
        "SecretAccessKey": "x",
        "Token": "t",
        "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
    }
    with Recording(lambda request: Reply(200, json.dumps(told).encode())) as service:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/v1/credentials")
        yield service


def key(credentials):
    return session(credentials).get_credentials().get_frozen_credentials().access_key


@pytest.mark.parametrize("kind", ["instance-profile", "default"])
def test_an_instance_is_asked_directly(proxy, imds, kind):
    assert key(Credentials(kind=kind)).startswith("ASIA0")

    assert proxy.requests == []


def test_a_container_s_host_is_asked_directly(proxy, container):
    assert key(Credentials()) == "ASIACONTAINER"

    assert proxy.requests == []


@pytest.fixture(params=["Ec2InstanceMetadata", "EcsContainer"])
def source(request, monkeypatch, tmp_path):
    """Where a profile's role is assumed from."""
    (tmp_path / "config").write_text(PROFILE.format(source=request.param))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    return request.param


def test_what_a_profile_s_role_is_assumed_with_is_asked_directly(proxy, imds, container, source):
    with pytest.raises(aws.ERRORS):
        key(Credentials(profile="host"))

    asked_of_proxy = {request.headers["host"] for request in proxy.requests}
    assert asked_of_proxy == {"127.0.0.1:9"}  # the STS, as a proxy may
    assert bool(imds.asked) is (source == "Ec2InstanceMetadata")
    assert bool(container.requests) is (source == "EcsContainer")


def test_why_there_are_no_keys_is_asked_directly(proxy, imds, monkeypatch):
    monkeypatch.setattr("trailcourier.aws.metadata.TIMEOUT", 0.3)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "1")
    imds.far = True

    with pytest.raises(aws.ERRORS) as raised:
        key(Credentials())

    assert aws.fault(raised.value, what="it", where="b").reason == "instance-metadata"
    assert proxy.requests == []


@pytest.mark.parametrize("service", ["s3", "sqs", "sts"])
def test_no_client_asks_the_host_for_a_region(proxy, imds, service, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "auto")

    aws.client(session(), service, "eu-west-1", egress=Egress())

    assert (proxy.requests, imds.asked) == ([], [])


def test_reading_by_obstore_asks_no_metadata_service(proxy, imds, container):
    with Recording(lambda request: s3_object(b"log")) as server:
        reader(server.url).open(ObjectRef("acme-trail", "k")).body()

    assert (proxy.requests, imds.asked, container.requests) == ([], [], [])
