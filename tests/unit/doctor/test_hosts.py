"""Which hosts a configuration needs, and what is said of those that are not reached."""

import json
import socket

import pytest

from tests.support.doctor_call import Doctor
from tests.support.http_stub import Reply, Server
from tests.support.tls import authority
from trailcourier import cli, settings
from trailcourier.doctor import firewall, hosts
from trailcourier.doctor.subject import Shared

SOURCE = """
[sources.prod]
queue_url = "https://sqs.{region}.{suffix}/111122223333/cloudtrail"
sinks = ["out"]
{more}
[sinks.out]
type = "stdout"
"""


@pytest.fixture
def rows(tmp_path):
    def rows(more="", *, region="us-east-1", suffix="amazonaws.com", env=None):
        path = tmp_path / "trailcourier.toml"
        path.write_text(SOURCE.format(region=region, suffix=suffix, more=more))
        shared = Shared(settings.load(path, env or {}))
        return firewall.firewall_rows(shared, ["prod"])

    return rows


def names(found, by):
    return [each.host for each in found if each.by == by]


def test_the_line_needs_the_queue_and_the_host_of_its_bucket(rows):
    found = rows('buckets = ["acme-logs"]\nbucket_region = "EU_IRELAND"')

    assert names(found, "line") == [
        "sqs.us-east-1.amazonaws.com", "acme-logs.s3.eu-west-1.amazonaws.com",
    ]  # fmt: skip
    assert names(found, "doctor") == [
        "sts.us-east-1.amazonaws.com", "sns.us-east-1.amazonaws.com",
        "cloudtrail.us-east-1.amazonaws.com", "cloudtrail.eu-west-1.amazonaws.com",
        "kms.us-east-1.amazonaws.com", "monitoring.us-east-1.amazonaws.com",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("US_STANDARD", "us-east-1"), ("US_EAST_OHIO", "us-east-2"),
        ("US_WEST_N_CALIFORNIA", "us-west-1"), ("US_WEST_OREGON", "us-west-2"),
        ("CA_CENTRAL", "ca-central-1"), ("EU_IRELAND", "eu-west-1"), ("EU_LONDON", "eu-west-2"),
        ("EU_PARIS", "eu-west-3"), ("EU_FRANKFURT", "eu-central-1"), ("AP_MUMBAI", "ap-south-1"),
        ("AP_SEOUL", "ap-northeast-2"), ("AP_SINGAPORE", "ap-southeast-1"),
        ("AP_SYDNEY", "ap-southeast-2"), ("AP_TOKYO", "ap-northeast-1"),
        ("SA_SAO_PAULO", "sa-east-1"),
    ],
)  # fmt: skip
def test_each_region_name_of_the_manual_gives_its_s3_host(rows, name, region):
    found = rows(f'buckets = ["acme-*"]\nbucket_region = "{name}"')

    assert names(found, "line")[1] == f"*.s3.{region}.amazonaws.com"


def test_a_bucket_region_that_is_not_set_is_listed_as_a_guess(rows):
    assert (
        rows()[1].why == "the buckets (if in the queue's region; bucket_region is not set) of prod"
    )


def test_a_bucket_name_with_dots_uses_the_regions_host(rows):
    found = rows('buckets = ["acme.logs"]')

    assert names(found, "line")[1] == "s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("fips = true", ["sqs-fips.us-west-2.amazonaws.com", "*.s3-fips.us-west-2.amazonaws.com"]),
        ("dualstack = true", ["sqs.us-west-2.api.aws", "*.s3.dualstack.us-west-2.amazonaws.com"]),
        (
            "fips = true\ndualstack = true",
            ["sqs-fips.us-west-2.api.aws", "*.s3-fips.dualstack.us-west-2.amazonaws.com"],
        ),
    ],
)
def test_fips_and_dual_stack_use_other_hosts(rows, more, line):
    assert names(rows(more, region="us-west-2"), "line") == line


@pytest.mark.parametrize("region", ["us-gov-east-1", "us-gov-west-1"])
def test_both_govcloud_regions_give_their_hosts(rows, region):
    plain, fips = rows(region=region), rows("fips = true", region=region)

    assert names(plain, "line") == [f"sqs.{region}.amazonaws.com", f"*.s3.{region}.amazonaws.com"]
    assert names(fips, "line") == [
        f"sqs.{region}.amazonaws.com", f"*.s3-fips.{region}.amazonaws.com",
    ]  # fmt: skip


def test_chinas_hosts_end_otherwise(rows):
    found = rows(region="cn-north-1", suffix="amazonaws.com.cn")

    assert names(found, "line") == [
        "sqs.cn-north-1.amazonaws.com.cn", "*.s3.cn-north-1.amazonaws.com.cn",
    ]  # fmt: skip


ROLE = '[sources.prod.credentials]\nkind = "assume-role"\nrole_arn = "{}"\n{}'
ARN = "arn:aws:iam::111122223333:role/reader"


def test_a_role_makes_sts_a_host_of_the_line(rows):
    found = rows(ROLE.format(ARN, 'sts_region = "eu-west-1"'))

    assert "sts.eu-west-1.amazonaws.com" in names(found, "line")


def test_a_role_for_some_buckets_makes_its_sts_a_host_of_the_line(rows):
    more = """
[sources.prod.bucket_credentials."acme-eu-*"]
kind = "assume-role"
role_arn = "arn:aws:iam::444455556666:role/logs"
sts_region = "eu-west-1"
"""

    (found,) = [each for each in rows(more) if each.host == "sts.eu-west-1.amazonaws.com"]

    assert (found.by, found.why) == ("line", "the role for buckets acme-eu-* of prod")


@pytest.mark.parametrize(
    ("more", "host"),
    [("fips = true", "sts-fips.us-east-1.amazonaws.com"),
     ("dualstack = true", "sts.us-east-1.api.aws"),
     ("fips = true\ndualstack = true", "sts-fips.us-east-1.api.aws")],
)  # fmt: skip
def test_a_roles_sts_has_fips_and_dual_stack_names_too(rows, more, host):
    assert host in names(rows(f"{more}\n{ROLE.format(ARN, '')}"), "line")


def test_interface_endpoints_of_a_vpc_are_the_hosts(tmp_path):
    """Without private DNS: the queue's by its URL, the others' by the environment."""
    vpce = "vpce-0ab1-x.{}.us-east-1.vpce.amazonaws.com"
    text = SOURCE.format(region="us-east-1", suffix="amazonaws.com", more=ROLE.format(ARN, ""))
    path = tmp_path / "trailcourier.toml"
    path.write_text(text.replace("sqs.us-east-1.amazonaws.com", vpce.format("sqs")))
    s3 = f"bucket.{vpce.format('s3')}"
    env = {
        "AWS_ENDPOINT_URL_S3": f"https://{s3}",
        "AWS_ENDPOINT_URL_STS": f"https://{vpce.format('sts')}",
    }

    found = firewall.firewall_rows(Shared(settings.load(path, env)), ["prod"])

    assert names(found, "line") == [vpce.format("sqs"), s3, vpce.format("sts")]


def test_endpoints_of_ones_own_are_the_hosts(rows):
    env = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000", "AWS_ENDPOINT_URL": "https://aws.corp"}

    found = rows(env=env)

    assert [(each.host, each.port) for each in found] == [("aws.corp", 443), ("127.0.0.1", 9000)]
    assert found[0].why.startswith("the queue of prod; the credentials of prod; ")


def test_the_broker_is_a_host_and_its_password_is_not_shown(rows):
    env = {"BROKER": "rediss://:hunter2@redis.corp:6380/0"}

    found = rows('[broker]\nurl = "env:BROKER"', env=env)

    assert (found[-1].host, found[-1].port, found[-1].by) == ("redis.corp", 6380, "line")
    assert "hunter2" not in str(found)


def test_a_broker_on_a_socket_is_no_host(rows):
    found = rows('[broker]\nurl = "unix:///run/redis.sock"')

    assert "the broker" not in [each.why for each in found]


def test_the_proxy_is_named_where_there_is_one(rows):
    env = {
        "HTTPS_PROXY": "http://user:hunter2@proxy.corp:3128",
        "NO_PROXY": "sqs.us-east-1.amazonaws.com",
    }

    found = rows(env=env)

    assert [each.proxy for each in found[:2]] == ["", "proxy.corp"]


def test_a_proxy_needs_no_scheme(rows):
    found = rows(env={"HTTPS_PROXY": "user:hunter2@proxy.corp:3128"})

    assert found[0].proxy == "proxy.corp"


@pytest.fixture
def listed(tmp_path, monkeypatch, capfd):
    """``doctor --hosts`` where no socket may be opened and no keys are."""

    def listed(*arguments, more=""):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(socket, "create_connection", None)
        monkeypatch.setattr(socket, "getaddrinfo", None)
        text = SOURCE.format(region="us-east-1", suffix="amazonaws.com", more=more)
        (tmp_path / "trailcourier.toml").write_text(text)
        assert cli.execute(["doctor", "--hosts", *arguments]) == 0
        return capfd.readouterr().out

    return listed


def test_hosts_are_listed_without_credentials_and_without_a_network(listed):
    lines = listed(more='buckets = ["acme-logs"]\nbucket_region = "us-east-2"').splitlines()

    assert lines[:3] == [
        "host                                  port  needed by  for",
        "sqs.us-east-1.amazonaws.com           443   line       the queue of prod",
        "acme-logs.s3.us-east-2.amazonaws.com  443   line       bucket acme-logs of prod",
    ]


def test_hosts_are_listed_in_json(listed):
    listing = json.loads(listed("--json"))

    assert listing["hosts"][0] == {
        "host": "sqs.us-east-1.amazonaws.com", "port": 443, "why": "the queue of prod",
        "by": "line", "proxy": "",
    }  # fmt: skip


# what is said of hosts that are not reached


def test_hosts_that_are_reached_are_named(doctor, account):
    found = doctor().one("TC100")

    assert found.level == "ok"
    assert found.text == f"reached {account.front.url.removeprefix('http://')}"


def test_the_proxy_is_named_without_its_login(doctor, monkeypatch):
    with Server(lambda request: Reply(403)) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.replace("http://", "user:hunter2@"))
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example")
        said = doctor()

    assert said.one("TC100").text == "reached aws.example:80, through the proxy 127.0.0.1"


def test_a_name_that_is_not_known_is_one_error_for_all(doctor, monkeypatch):
    def resolve(host, *more, **how):
        if host == "aws.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, *more, **how)

    getaddrinfo = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example")

    report = doctor()

    assert (report.code, report.errors) == (1, ["TC101"])
    found = report.one("TC101")
    assert "(the queue)" in found.text
    assert "(bucket acme-cloudtrail)" in found.text
    for id_ in ("TC201", "TC301", "TC307", "TC401", "TC501", "TC601"):
        assert report.of(id_)[0].text == "not checked, because of TC101 above", id_


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_a_host_of_s3_that_is_closed_leaves_the_queue_to_be_looked_at(doctor, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{closed_port()}")

    report = doctor()

    assert report.errors == ["TC102"]
    assert report.one("TC301").level == "ok"
    assert report.one("TC601").text == "not checked, because of TC102 above"


@pytest.mark.parametrize("service", ["SNS", "CLOUDTRAIL", "KMS", "STS"])
def test_a_host_that_only_doctor_needs_is_no_error(doctor, monkeypatch, service):
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{closed_port()}")

    report = doctor()

    assert (report.code, report.errors) == (0, [])
    assert report.one("TC102").level == "not-checked"


def test_an_sts_that_a_role_needs_is_an_error_and_nothing_is_asked(doctor, account, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{closed_port()}")
    role = "arn:aws:iam::123456789012:role/reader"

    report = doctor(more=ROLE.format(role, ""))

    assert report.errors == ["TC102"]
    assert account.front.log == []


def test_a_certificate_that_is_not_trusted_is_an_error(doctor, monkeypatch, tmp_path):
    _, context = authority(tmp_path)
    with Server(lambda request: Reply(400), tls=context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        report = doctor()

    assert report.errors == ["TC104"]
    assert "AWS_CA_BUNDLE" in report.one("TC104").fix


def test_a_proxy_that_refuses_is_an_error(doctor, monkeypatch):
    with Server(lambda request: Reply(403)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example")
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        report = doctor()

    assert report.errors == ["TC103"]
    assert "the proxy 127.0.0.1: it answered 403" in report.one("TC103").text


def test_a_partition_without_fips_is_a_wrong_configuration(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    text = SOURCE.format(region="cn-north-1", suffix="amazonaws.com.cn", more="fips = true")

    report = Doctor.call(capfd, text)

    assert report.errors == ["TC001"]
    assert "there are no FIPS endpoints in China" in report.one("TC001").text


def test_a_bucket_elsewhere_whose_host_is_closed_is_an_error(doctor, account, monkeypatch):
    account.front.regions["acme-cloudtrail"] = "eu-central-1"
    failure = hosts.Failure("TC102", "no answer in time")

    def unreachable(subject, bucket, region):
        peer = hosts.Peer(f"https://{bucket}.s3.{region}.amazonaws.com")
        return hosts.unreached_finding(failure, [hosts.RequiredHost(peer, "it", line=True)])

    monkeypatch.setattr(hosts, "check_bucket_host", unreachable)

    report = doctor()

    assert report.errors == ["TC102"]
    assert "acme-cloudtrail.s3.eu-central-1.amazonaws.com" in report.one("TC102").text
