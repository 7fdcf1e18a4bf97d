"""Names of AWS's hosts, in every region of every partition, against botocore's own list of them."""

from datetime import timedelta

import obstore
import pytest
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

from tests.aws_answers import named, session
from tests.issuers import Keys, Sts
from trailcourier import aws, regions
from trailcourier.credentials import Credentials
from trailcourier.egress import Egress
from trailcourier.objects import Reach
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
    """The name in botocore's ``endpoints.json``; what is asked goes by other rules of its own."""
    if (service, partition, dualstack) == ("s3", "aws-eusc", True):  # S3's rules have it otherwise
        return f"s3{'-fips' if fips else ''}.dualstack.{region}.amazonaws.eu"
    told = LISTED.construct_endpoint(
        service, region, partition, use_fips_endpoint=fips, use_dualstack_endpoint=dualstack
    )
    return told["hostname"]


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
    """The hosts of AWS that any client would have sent to; nothing is sent."""
    hosts = []

    def stop(self, request):
        hosts.append(request.url.split("/")[2].partition("?")[0])
        raise Seen

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", stop)
    return hosts


@pytest.mark.parametrize(("service", "partition", "way"), CASES)
def test_a_client_asks_the_host_that_is_listed(asked, service, partition, way):
    operation, given = ASKED[service]
    for code in codes(service, partition):
        client = aws.client(session(), service, code, egress=Egress(), **WAYS[way])
        with pytest.raises(Seen):
            getattr(client, operation)(**given)

        host = listed(service, code, partition, **WAYS[way])
        assert asked.pop().removeprefix("acme-trail.") == host


@pytest.mark.parametrize(("service", "partition", "way"), [c for c in CASES if c.values[0] == "s3"])
def test_obstore_asks_the_host_that_is_listed(service, partition, way):
    for code in codes(service, partition)[:4]:
        store = Stores(session(), Reach(home=code, **WAYS[way])).store("acme-trail", code)
        url = obstore.sign(store, "GET", "k", timedelta(seconds=60))

        host = listed(service, code, partition, **WAYS[way])
        assert url.startswith(f"https://acme-trail.{host}/k?")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_queues_url_on_the_host_that_is_listed_says_all_of_it(partition, way):
    for code in codes("sqs", partition):
        host = listed("sqs", code, partition, **WAYS[way])

        found = regions.queue(f"https://{host}/111122223333/cloudtrail")

        assert (found.region, found.partition, found.endpoint) == (code, partition, None)
        assert found.fips == ("-fips" in host)
        assert found.dualstack == bool(WAYS[way].get("dualstack"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_role_is_asked_for_at_the_host_that_is_listed(asked, region, partition, way):
    role = Credentials(
        kind="assume-role", role_arn=f"arn:{partition}:iam::111122223333:role/reader",
        access_key_id=named("AKIAONE"), secret_access_key=named("x"),
    )  # fmt: skip
    made = aws.session(role, source="prod", sts_region=region, egress=Egress(), **WAYS[way])

    with pytest.raises(Seen):
        made.get_credentials().get_frozen_credentials()

    assert set(asked) == {listed("sts", region, partition, **WAYS[way])}


@pytest.mark.parametrize("way", WAYS)
def test_a_web_identity_is_shown_at_the_host_that_is_listed(asked, tmp_path, monkeypatch, way):
    """In the queue's region, where the pod's environment names none."""
    file = tmp_path / "token"
    file.write_text("a-token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod")

    for region in (None, "eu-north-1"):
        if region:
            monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        made = aws.session(
            Credentials(), source="prod", sts_region="eu-west-1", egress=Egress(), **WAYS[way]
        )
        with pytest.raises(Seen):
            made.get_credentials().get_frozen_credentials()

        assert asked.pop() == listed("sts", region or "eu-west-1", "aws", **WAYS[way])


ROLE = Credentials(
    kind="assume-role", role_arn="arn:aws:iam::111122223333:role/reader",
    access_key_id=named("AKIAONE"), secret_access_key=named("x"),
)  # fmt: skip


@pytest.mark.parametrize("credentials", [ROLE, Credentials()], ids=["role", "web-identity"])
def test_an_endpoint_of_ones_own_goes_before_fips_and_dual_stack(
    tmp_path, monkeypatch, credentials
):
    """Such as that of a VPC."""
    file = tmp_path / "token"
    file.write_text("a-token")
    sts = Sts(Keys())
    sts.tokens = {"a-token"}
    with sts.server:
        if credentials is not ROLE:  # which is told by what egress says
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
            monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod")
        made = aws.session(
            credentials, source="prod", sts_region="eu-west-1", fips=True, dualstack=True,
            egress=Egress(endpoints=(("sts", sts.url),)),
        )  # fmt: skip

        assert made.get_credentials().get_frozen_credentials().access_key in sts.keys.issued
