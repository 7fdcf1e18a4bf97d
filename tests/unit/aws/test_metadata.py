"""Metadata services are reached without a proxy: it is another host, with its own keys."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.aws_answers import Recording, reader, s3_object, session
from tests.support.http_stub import Reply
from tests.support.issuers import Imds, Keys
from trailcourier.aws import clients, faults
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.models import ObjectRef

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
PROFILE = """
[profile host]
role_arn = arn:aws:iam::111122223333:role/trailcourier
credential_source = {source}
"""


@pytest.fixture
def proxy(monkeypatch):
    """The environment's proxy, for every scheme and without exceptions."""
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
    """The metadata service of a container, configured as ECS and EKS do."""
    ends = datetime.now(UTC) + timedelta(hours=6)
    document = {
        "AccessKeyId": "ASIACONTAINER",
        "SecretAccessKey": "x",
        "Token": "t",
        "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
    }
    with Recording(lambda request: Reply(200, json.dumps(document).encode())) as service:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/v1/credentials")
        yield service


def key(credentials):
    return session(credentials).get_credentials().get_frozen_credentials().access_key


@pytest.mark.parametrize("kind", ["instance-profile", "default"])
def test_an_instances_service_is_reached_without_a_proxy(proxy, imds, kind):
    assert key(Credentials(kind=kind)).startswith("ASIA0")

    assert proxy.requests == []


def test_a_containers_service_is_reached_without_a_proxy(proxy, container):
    assert key(Credentials()) == "ASIACONTAINER"

    assert proxy.requests == []


@pytest.fixture(params=["Ec2InstanceMetadata", "EcsContainer"])
def source(request, monkeypatch, tmp_path):
    """The credential source of a profile's role."""
    (tmp_path / "config").write_text(PROFILE.format(source=request.param))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    return request.param


def test_the_keys_for_a_profiles_role_are_fetched_without_a_proxy(proxy, imds, container, source):
    with pytest.raises(faults.AWS_ERRORS):
        key(Credentials(profile="host"))

    asked_of_proxy = {request.headers["host"] for request in proxy.requests}
    assert asked_of_proxy == {"127.0.0.1:9"}  # the STS, as a proxy may
    assert bool(imds.asked) is (source == "Ec2InstanceMetadata")
    assert bool(container.requests) is (source == "EcsContainer")


def test_the_cause_of_missing_keys_is_found_without_a_proxy(proxy, imds, monkeypatch):
    monkeypatch.setattr("trailcourier.aws.metadata.TIMEOUT", 1)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "1")
    imds.far = True

    with pytest.raises(faults.AWS_ERRORS) as raised:
        key(Credentials())

    assert faults.to_fault(raised.value, what="it", where="b").reason == "instance-metadata"
    assert proxy.requests == []


@pytest.mark.parametrize("service", ["s3", "sqs", "sts"])
def test_no_client_asks_the_metadata_service_for_a_region(proxy, imds, service, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "auto")

    clients.make_client(session(), service, "eu-west-1", network=Network())

    assert (proxy.requests, imds.asked) == ([], [])


def test_obstore_does_not_use_the_metadata_service(proxy, imds, container):
    with Recording(lambda request: s3_object(b"log")) as server:
        reader(server.url).open(ObjectRef("acme-trail", "k")).body()

    assert (proxy.requests, imds.asked, container.requests) == ([], [], [])
