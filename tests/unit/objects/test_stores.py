import subprocess
import sys
from datetime import timedelta

import obstore
import pytest

from tests.support import tls
from tests.support.aws_answers import Recording, keys, reader, s3_error, s3_object, session, signer
from tests.support.fleet import until
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects import BucketAccess
from trailcourier.objects.stores import Stores
from trailcourier.secret import Secret

READ_BY = {"obstore": ObjectRef("acme-trail", "k"), "boto3": ObjectRef("acme-trail", "a//k")}


@pytest.fixture(params=READ_BY)
def ref(request):
    """An object that obstore reads, and one that boto3 reads."""
    return READ_BY[request.param]


def read(url, ref, **more):
    """Return the body, read by the expected library: the other would silently read it instead."""
    notices = []
    data = reader(url, notices=notices, **more).open(ref).body()
    assert notices == []
    return data


def host(bucket="acme-trail", region="eu-west-1", **more):
    """Return the URL that obstore would request for an object of *bucket*."""
    store = Stores(session(), BucketAccess(home=region, **more)).store(bucket, region)
    return obstore.sign(store, "GET", "k", timedelta(seconds=60)).partition("?")[0]


@pytest.mark.parametrize(
    ("region", "more", "expected"),
    [
        ("eu-west-1", {}, "s3.eu-west-1.amazonaws.com"),
        ("us-east-1", {}, "s3.us-east-1.amazonaws.com"),
        ("us-gov-west-1", {}, "s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", {}, "s3.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", {}, "s3.eusc-de-east-1.amazonaws.eu"),
        ("eu-west-1", {"fips": True}, "s3-fips.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", {"fips": True}, "s3-fips.us-gov-west-1.amazonaws.com"),
        ("eu-west-1", {"dualstack": True}, "s3.dualstack.eu-west-1.amazonaws.com"),
        ("cn-north-1", {"dualstack": True}, "s3.dualstack.cn-north-1.amazonaws.com.cn"),
        (
            "us-east-1",
            {"fips": True, "dualstack": True},
            "s3-fips.dualstack.us-east-1.amazonaws.com",
        ),
    ],
    ids=str,
)
def test_hosts_follow_partition_fips_and_dualstack(region, more, expected):
    assert host(region=region, network=Network(**more)) == f"https://acme-trail.{expected}/k"


def test_a_bucket_with_dots_is_addressed_by_path():
    """No TLS certificate covers a host name with the bucket's dots."""
    assert host("acme.trail") == "https://s3.eu-west-1.amazonaws.com/acme.trail/k"


@pytest.mark.parametrize("bucket", ["Acme_Logs", "b" * 64, "B" * 255], ids=len)
def test_a_bucket_from_before_2018_is_addressed_by_path(bucket):
    """No host can have such a name."""
    expected = f"https://s3.us-east-1.amazonaws.com/{bucket}/k"

    assert host(bucket, "us-east-1") == expected


def test_a_path_in_the_endpoint_is_kept(ref):
    with Recording(lambda request: s3_object(request.target.encode())) as server:
        got = read(server.url, ref, network=Network(endpoint_url=server.url + "/storage"))

    assert got.decode() == f"/storage/acme-trail/{ref.key}"


def test_the_environments_obstore_options_are_ignored(ref, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_REGION": "xx-odd-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_REQUEST_PAYER": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_ACCESS_KEY_ID": "AKIAENV",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)

    with Recording(lambda request: s3_object(b"x")) as server:
        assert read(server.url, ref) == b"x"

    (request,) = server.requests
    assert signer(request) == ("AKIAEXAMPLE", "eu-west-1")
    assert "x-amz-request-payer" not in request.headers
    assert "x-amz-security-token" not in request.headers


def test_the_proxy_is_used_unless_no_proxy_matches(ref):
    with (
        Recording(lambda request: s3_object(b"by proxy")) as proxy,
        Recording(lambda request: s3_object(b"directly")) as server,
    ):
        through = Network(endpoint_url=server.url, http_proxy=proxy.url)
        around = Network(endpoint_url=server.url, http_proxy=proxy.url, no_proxy="127.0.0.1")
        got = [read(server.url, ref, network=network) for network in (through, around)]

    assert got == [b"by proxy", b"directly"]


def test_a_proxy_gets_its_user_and_password(ref):
    with Recording(lambda request: s3_object(b"x")) as proxy:
        named = proxy.url.replace("//", "//user:pass%40word@")
        read("", ref, network=Network(endpoint_url="http://127.0.0.1:1", http_proxy=named))

    assert proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNzQHdvcmQ="


def test_only_the_ca_bundle_is_trusted(ref, tmp_path):
    bundle, context = tls.authority(tmp_path)

    with Recording(lambda request: s3_object(b"x"), tls=context) as server:
        trusting = Network(endpoint_url=server.url, ca_bundle=bundle)
        got = read(server.url, ref, network=trusting)
        with pytest.raises(Fault) as raised:
            read(server.url, ref)

    assert got == b"x"
    assert raised.value.reason == "network"
    assert "certificate" in raised.value.detail.lower()


def test_tls_uses_a_tunnel_through_the_proxy(ref, tmp_path):
    bundle, context = tls.authority(tmp_path)

    with (
        tls.tunnels() as proxy,
        Recording(lambda request: s3_object(b"x"), tls=context) as server,
    ):
        network = Network(endpoint_url=server.url, ca_bundle=bundle, https_proxy=proxy.url)
        got = read(server.url, ref, network=network)

    assert got == b"x"
    assert proxy.tunnels[0] == server.url.removeprefix("https://")


def test_a_machine_without_certificates_trusts_boto3s(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")

    assert host().startswith("https://")


def test_changed_keys_are_used_for_the_next_request(ref, tmp_path):
    file = tmp_path / "key"
    file.write_text("AKIAONE")
    credentials = Credentials(
        kind="iam-user",
        access_key_id=Secret(f"file:{file}"),
        secret_access_key=Secret.public("x"),
    )
    valid = {"AKIAONE"}

    def answer(request):
        known = signer(request)[0] in valid
        return s3_object(b"x") if known else s3_error(403, "InvalidAccessKeyId")

    notices = []
    with Recording(answer) as server:
        reads = reader(server.url, credentials=credentials, notices=notices)
        reads.open(ref).body()
        file.write_text("AKIATWO")
        valid = {"AKIATWO"}
        with pytest.raises(Fault) as raised:
            reads.open(ref)
        reads.open(ref).body()

    assert raised.value.reason == "credentials"
    assert signer(server.requests[-1])[0] == "AKIATWO"
    assert notices == []


def test_a_role_is_assumed_again_between_two_reads(ref):
    from tests.support.aws_answers import sts_keys

    answers = iter([sts_keys("ASIAONE", lives=8), sts_keys("ASIATWO")])
    role = Credentials(
        kind="assume-role",
        access_key_id=Secret.public("AKIAONE"),
        secret_access_key=Secret.public("x"),
        role_arn="arn:aws:iam::111122223333:role/trailcourier",
    )

    with (
        Recording(lambda request: next(answers)) as sts,
        Recording(lambda request: s3_object(b"x")) as server,
    ):
        endpoints = (("s3", server.url), ("sts", sts.url))
        reads = reader("", credentials=role, network=Network(endpoints=endpoints))
        reads.open(ref).body()
        until(lambda: reads.open(ref).body() and signer(server.requests[-1])[0] == "ASIATWO")

    used = [signer(request)[0] for request in server.requests]
    assert used[0] == "ASIAONE"
    assert {request.headers["x-amz-security-token"] for request in server.requests} <= {
        "token-ASIAONE",
        "token-ASIATWO",
    }


def test_missing_credentials_are_a_fault_of_the_credentials(ref):
    with Recording(lambda request: s3_object(b"x")) as server, pytest.raises(Fault) as raised:
        reader(server.url, credentials=Credentials()).open(ref)

    assert raised.value.reason == "credentials"
    assert server.requests == []


def test_one_store_serves_a_bucket_in_its_region():
    stores = Stores(session(keys()), BucketAccess(home="eu-west-1"))

    assert stores.store("acme-trail", "eu-west-1") is stores.store("acme-trail", "eu-west-1")
    assert stores.client("eu-west-1") is stores.client("eu-west-1")


PEAK = """
import sys
from tests.support.aws_answers import reader
from trailcourier.models import ObjectRef

def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

reads = reader(sys.argv[1], most=1 << 27)
reads.open(ObjectRef("acme-trail", "small" + sys.argv[2])).body()
before = peak()
data = reads.open(ObjectRef("acme-trail", "large" + sys.argv[2])).body()
print(peak() - before, len(data) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("suffix", ["", "/"], ids=["obstore", "boto3"])
def test_a_body_is_in_memory_once(suffix):
    def answer(request):
        return s3_object(b"x" * (60 << 20 if "large" in request.target else 1))

    with Recording(answer) as server:
        output = subprocess.run(
            [sys.executable, "-c", PEAK, server.url, suffix],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    grown, size = map(int, output.split())
    assert size == 60
    assert grown < 60 * 1.5
