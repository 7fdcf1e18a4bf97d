"""The host names in every region of every partition, compared with botocore's own list."""

from datetime import timedelta

import obstore
import pytest
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

from tests.support.aws_answers import named, session
from tests.support.issuers import Keys, Sts
from trailcourier.aws import clients, regions, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.objects import BucketAccess
from trailcourier.objects.stores import Stores

PARTITIONS = ["aws", "aws-us-gov", "aws-cn", "aws-eusc"]
WAYS = {
    "plain": {},
    "fips": {"fips": True},
    "dualstack": {"dualstack": True},
    "both": {"fips": True, "dualstack": True},
}
ASKED = {
    "sqs": ("list_queues", {}),
    "s3": ("head_bucket", {"Bucket": "acme-trail"}),
    "sts": ("get_caller_identity", {}),
}
LISTED = EndpointResolver(create_loader().load_data("endpoints"), uses_builtin_data=True)


def codes(service, partition):
    return LISTED.get_available_endpoints(service, partition)


def listed(service, region, partition, *, fips=False, dualstack=False):
    """The host in botocore's ``endpoints.json``; clients use botocore's endpoint rules instead."""
    if (service, partition, dualstack) == ("s3", "aws-eusc", True):  # S3's rules have it otherwise
        return f"s3{'-fips' if fips else ''}.dualstack.{region}.amazonaws.eu"
    endpoint = LISTED.construct_endpoint(
        service, region, partition, use_fips_endpoint=fips, use_dualstack_endpoint=dualstack
    )
    return endpoint["hostname"]


def there(service, partition, way):
    return (service, partition) != ("s3", "aws-cn") or "fips" not in WAYS[way]


CASES = [
    pytest.param(service, partition, way, id=f"{service}-{partition}-{way}")
    for service in ASKED
    for partition in PARTITIONS
    for way in WAYS
    if there(service, partition, way)
]


class Seen(Exception):
    pass


@pytest.fixture
def asked(monkeypatch):
    """The AWS hosts to which clients would have sent requests; nothing is sent."""
    hosts = []

    def stop(self, request):
        hosts.append(request.url.split("/")[2].partition("?")[0])
        raise Seen

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", stop)
    return hosts


@pytest.mark.parametrize(("service", "partition", "way"), CASES)
def test_a_client_uses_the_listed_host(asked, service, partition, way):
    operation, given = ASKED[service]
    for code in codes(service, partition):
        client = clients.make_client(session(), service, code, network=Network(**WAYS[way]))
        with pytest.raises(Seen):
            getattr(client, operation)(**given)

        host = listed(service, code, partition, **WAYS[way])
        assert asked.pop().removeprefix("acme-trail.") == host


@pytest.mark.parametrize(("service", "partition", "way"), [c for c in CASES if c.values[0] == "s3"])
def test_obstore_uses_the_listed_host(service, partition, way):
    for code in codes(service, partition)[:4]:
        store = Stores(session(), BucketAccess(home=code, network=Network(**WAYS[way]))).store(
            "acme-trail", code
        )
        url = obstore.sign(store, "GET", "k", timedelta(seconds=60))

        host = listed(service, code, partition, **WAYS[way])
        assert url.startswith(f"https://acme-trail.{host}/k?")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_queue_url_on_a_listed_host_is_parsed(partition, way):
    for code in codes("sqs", partition):
        host = listed("sqs", code, partition, **WAYS[way])

        found = regions.parse_queue_url(f"https://{host}/111122223333/cloudtrail")

        assert (found.region, found.partition, found.endpoint) == (code, partition, None)
        assert found.fips == ("-fips" in host)
        assert found.dualstack == bool(WAYS[way].get("dualstack"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_role_is_assumed_at_the_listed_host(asked, region, partition, way):
    role = Credentials(
        kind="assume-role", role_arn=f"arn:{partition}:iam::111122223333:role/reader",
        access_key_id=named("AKIAONE"), secret_access_key=named("x"),
    )  # fmt: skip
    made = sessions.make_session(
        role, source="prod", sts_region=region, network=Network(**WAYS[way])
    )

    with pytest.raises(Seen):
        made.get_credentials().get_frozen_credentials()

    assert set(asked) == {listed("sts", region, partition, **WAYS[way])}


@pytest.mark.parametrize("way", WAYS)
def test_a_web_identity_is_sent_to_the_listed_host(asked, tmp_path, monkeypatch, way):
    """In the queue's region, if the pod's environment names none."""
    file = tmp_path / "token"
    file.write_text("a-token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod")

    for region in (None, "eu-north-1"):
        if region:
            monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        made = sessions.make_session(
            Credentials(), source="prod", sts_region="eu-west-1", network=Network(**WAYS[way])
        )
        with pytest.raises(Seen):
            made.get_credentials().get_frozen_credentials()

        assert asked.pop() == listed("sts", region or "eu-west-1", "aws", **WAYS[way])


ROLE = Credentials(
    kind="assume-role", role_arn="arn:aws:iam::111122223333:role/reader",
    access_key_id=named("AKIAONE"), secret_access_key=named("x"),
)  # fmt: skip


@pytest.mark.parametrize("credentials", [ROLE, Credentials()], ids=["role", "web-identity"])
def test_a_configured_endpoint_precedes_fips_and_dualstack(tmp_path, monkeypatch, credentials):
    """For example that of a VPC."""
    file = tmp_path / "token"
    file.write_text("a-token")
    sts = Sts(Keys())
    sts.tokens = {"a-token"}
    with sts.server:
        if credentials is not ROLE:  # which uses the network's endpoint instead
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
            monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod")
        made = sessions.make_session(
            credentials, source="prod", sts_region="eu-west-1",
            network=Network(endpoints=(("sts", sts.url),), fips=True, dualstack=True),
        )  # fmt: skip

        assert made.get_credentials().get_frozen_credentials().access_key in sts.keys.issued
