import pytest
from botocore.exceptions import ReadTimeoutError

from tests.support.aws_answers import Recording, s3_error, s3_object, session
from tests.support.http_stub import Reply
from trailcourier.aws import clients, faults
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.errors import ConfigError


def made(service="sqs", region="eu-west-1", network=None, **limits):
    return clients.make_client(
        session(),
        service,
        region,
        network=network or Network(),
        limits=clients.CallLimits(**limits),
    )


@pytest.mark.parametrize(
    ("service", "region", "more", "host"),
    [
        ("sqs", "us-east-1", {}, "sqs.us-east-1.amazonaws.com"),
        ("s3", "us-east-1", {}, "s3.us-east-1.amazonaws.com"),
        ("sqs", "eu-west-1", {"fips": True}, "sqs-fips.eu-west-1.amazonaws.com"),
        ("sqs", "eu-west-1", {"dualstack": True}, "sqs.eu-west-1.api.aws"),
        ("sqs", "us-gov-west-1", {"fips": True}, "sqs.us-gov-west-1.amazonaws.com"),
        ("sqs", "cn-north-1", {}, "sqs.cn-north-1.amazonaws.com.cn"),
        ("sqs", "eusc-de-east-1", {}, "sqs.eusc-de-east-1.amazonaws.eu"),
        ("sts", "us-east-1", {}, "sts.us-east-1.amazonaws.com"),
    ],
    ids=str,
)
def test_hosts_are_those_of_the_region_and_its_partition(service, region, more, host):
    assert made(service, region, Network(**more)).meta.endpoint_url == f"https://{host}"


def test_an_endpoint_of_the_environment_precedes_the_queues_own():
    network = Network(endpoints=(("sqs", "http://127.0.0.1:1"),))

    configured = made(network=network.with_endpoint("sqs", "http://127.0.0.1:2"))
    other = made(network=Network().with_endpoint("sqs", "http://127.0.0.1:2"))

    assert configured.meta.endpoint_url == "http://127.0.0.1:1"
    assert other.meta.endpoint_url == "http://127.0.0.1:2"


def test_the_read_timeout_exceeds_a_long_poll():
    assert made().meta.config.read_timeout > 20


def test_a_server_that_hangs_times_out():
    async def hang(request):
        import asyncio

        await asyncio.Event().wait()

    with Recording(hang) as server:
        client = made("s3", network=Network(endpoint_url=server.url), read=0.3, attempts=2)
        with pytest.raises(ReadTimeoutError):
            client.get_object(Bucket="acme-trail", Key="k")

    assert len(server.requests) == 2


def test_attempts_are_counted():
    with Recording(lambda request: s3_error(503, "SlowDown")) as server:
        client = made("s3", network=Network(endpoint_url=server.url), attempts=2)
        with pytest.raises(faults.AWS_ERRORS):
            client.get_object(Bucket="acme-trail", Key="k")

    assert len(server.requests) == 2


def test_the_proxy_is_used_unless_no_proxy_matches():
    with (
        Recording(lambda request: s3_object(b"by proxy")) as proxy,
        Recording(lambda request: s3_object(b"directly")) as server,
    ):
        through = Network(endpoint_url=server.url, http_proxy=proxy.url)
        around = Network(endpoint_url=server.url, http_proxy=proxy.url, no_proxy="127.0.0.1")
        read = [
            made("s3", network=network).get_object(Bucket="acme-trail", Key="k")["Body"].read()
            for network in (through, around)
        ]

    assert read == [b"by proxy", b"directly"]


def test_the_environments_proxy_is_ignored(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    with Recording(lambda request: s3_object(b"directly")) as server:
        client = made("s3", network=Network(endpoint_url=server.url))
        read = client.get_object(Bucket="acme-trail", Key="k")["Body"].read()

    assert read == b"directly"


@pytest.mark.parametrize(
    ("credentials", "endpoint", "message"),
    [
        (Credentials(profile="nobody"), None, "nobody"),
        (None, "not a url", "not a url"),
    ],
    ids=["profile", "endpoint"],
)
def test_an_invalid_profile_or_endpoint_is_a_config_error(credentials, endpoint, message):
    with pytest.raises(ConfigError, match=message):
        clients.make_client(
            session(credentials), "sqs", "eu-west-1", network=Network(endpoint_url=endpoint)
        )


def test_requests_have_our_user_agent():
    with Recording(lambda request: Reply(200, b"{}")) as server:
        made(network=Network(endpoint_url=server.url)).list_queues()

    assert "trailcourier" in server.requests[0].headers["user-agent"]
