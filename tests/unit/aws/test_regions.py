import json
from pathlib import Path

import botocore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcourier.aws import regions

PARTITIONS = json.loads(
    Path(botocore.__file__).with_name("data").joinpath("partitions.json").read_text()
)["partitions"]
CODES = {
    code: partition["id"]
    for partition in PARTITIONS
    for code in partition["regions"]
    if not code.endswith("-global")
}
PLACE = "111122223333/cloudtrail"


@pytest.mark.parametrize(("name", "code"), sorted(regions.LEGACY_NAMES.items()))
def test_a_legacy_name_maps_to_a_code_that_botocore_lists(name, code):
    assert regions.parse_code(name) == code
    assert code in CODES


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_that_botocore_lists_is_accepted_in_its_partition(code):
    assert regions.parse_code(code) == code
    assert regions.partition_of(code) == CODES[code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("us_standard", "us-east-1", id="lower-case-name"),
        pytest.param("US_EAST_1", "us-east-1", id="code-as-a-name"),
        pytest.param(" us-east-1 ", "us-east-1", id="spaces"),
        pytest.param("EU", "eu-west-1", id="location-constraint"),
    ],
)
def test_a_region_may_be_written_in_several_ways(text, code):
    assert regions.parse_code(text) == code


@pytest.mark.parametrize("text", ["", "us", "us-east", "us-east-1a", "aws-global", "moon", "1"])
def test_text_that_is_not_a_region_code_is_refused(text):
    with pytest.raises(ValueError, match="is not an AWS region code"):
        regions.parse_code(text)


def address(region, partition="aws", **more):
    return {
        "region": region,
        "partition": partition,
        "account": "111122223333",
        "name": "cloudtrail",
        "endpoint": None,
        "fips": False,
        "dualstack": False,
        **more,
    }


VPCE = "https://vpce-0ab1-x.sqs.us-east-1.vpce.amazonaws.com"
ZONAL = "https://vpce-0ab1-x-us-east-1a.sqs.us-east-1.vpce.amazonaws.com"
CHINESE = "https://vpce-0ab1-x.sqs.cn-north-1.vpce.amazonaws.com.cn"
LOCALSTACK = "http://sqs.eu-west-2.localhost.localstack.cloud:4566"
URLS = [
    ("standard", "https://sqs.us-east-1.amazonaws.com", address("us-east-1")),
    ("govcloud", "https://sqs.us-gov-west-1.amazonaws.com", address("us-gov-west-1", "aws-us-gov")),
    ("china", "https://sqs.cn-north-1.amazonaws.com.cn", address("cn-north-1", "aws-cn")),
    ("sovereign", "https://sqs.eusc-de-east-1.amazonaws.eu", address("eusc-de-east-1", "aws-eusc")),
    ("secret", "https://sqs.us-iso-east-1.c2s.ic.gov", address("us-iso-east-1", "aws-iso")),
    ("older", "https://eu-west-1.queue.amazonaws.com", address("eu-west-1")),
    ("older-china", "https://cn-north-1.queue.amazonaws.com.cn", address("cn-north-1", "aws-cn")),
    ("oldest", "https://queue.amazonaws.com", address("us-east-1")),
    ("fips", "https://sqs-fips.us-west-2.amazonaws.com", address("us-west-2", fips=True)),
    ("dualstack", "https://sqs.us-west-2.api.aws", address("us-west-2", dualstack=True)),
    ("both", "https://sqs-fips.us-west-2.api.aws", address("us-west-2", fips=True, dualstack=True)),
    ("vpce", VPCE, address("us-east-1", endpoint=VPCE)),
    ("vpce-zonal", ZONAL, address("us-east-1", endpoint=ZONAL)),
    ("vpce-china", CHINESE, address("cn-north-1", "aws-cn", endpoint=CHINESE)),
    ("capitals", "https://SQS.US-EAST-1.AMAZONAWS.COM", address("us-east-1")),
    ("plain-http", "http://sqs.us-east-1.amazonaws.com", address("us-east-1")),
    ("localstack", LOCALSTACK, address("eu-west-2", endpoint=LOCALSTACK)),
]  # fmt: skip


@pytest.mark.parametrize(("host", "expected"), [pytest.param(*c[1:], id=c[0]) for c in URLS])
def test_a_queue_url_is_parsed(host, expected):
    found = regions.parse_queue_url(f"{host}/{PLACE}")

    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("url", "account"),
    [
        pytest.param("http://127.0.0.1:5000/111122223333/q", "111122223333", id="account"),
        pytest.param("http://[::1]:9324/000000000000/q", "000000000000", id="ipv6"),
        pytest.param("http://localhost:9324/queue/q", "", id="no-account"),
        pytest.param("http://localhost:9324/q", "", id="name-alone"),
        pytest.param("https://sqs.example.com/111122223333/q/", "111122223333", id="slash"),
    ],
)
def test_an_emulators_url_needs_queue_region(url, account):
    found = regions.parse_queue_url(url, "EU_FRANKFURT")

    assert (found.region, found.account, found.name) == ("eu-central-1", account, "q")
    assert found.endpoint == "/".join(url.split("/")[:3])
    with pytest.raises(ValueError, match="set queue_region"):
        regions.parse_queue_url(url)


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda each: each["id"])
@pytest.mark.parametrize("suffix", ["dnsSuffix", "dualStackDnsSuffix"])
def test_the_hosts_of_every_partition_are_known(partition, suffix):
    region = min(code for code, name in CODES.items() if name == partition["id"])

    found = regions.parse_queue_url(f"https://sqs.{region}.{partition['outputs'][suffix]}/{PLACE}")

    assert (found.region, found.partition, found.endpoint) == (region, partition["id"], None)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param(
            f"https://sqs.us-east-1.amazonaws.com/{PLACE}.fifo", "is a FIFO queue", id="fifo"
        ),
        pytest.param("arn:aws:sqs:us-east-1:111122223333:q", "is an ARN", id="arn"),
        pytest.param("cloudtrail", "is not (a|the) URL", id="name"),
        pytest.param("", "is not (a|the) URL", id="empty"),
        pytest.param(
            f"ftp://sqs.us-east-1.amazonaws.com/{PLACE}", "is not (a|the) URL", id="scheme"
        ),
        pytest.param(f"https://[::1/{PLACE}", "is not (a|the) URL", id="bracket"),
        pytest.param(
            f"https://sqs.us-east-1.amazonaws.com:x/{PLACE}", "is not (a|the) URL", id="port"
        ),
        pytest.param(
            f"https://u:hunter2@sqs.us-east-1.amazonaws.com/{PLACE}",
            "contains a user",
            id="password",
        ),
        pytest.param(f"https://sqs.us-east-1.amazonaws.com/{PLACE}?x=hunter2", "query", id="query"),
        pytest.param(
            "https://sqs.us-east-1.amazonaws.com/1/q", "an account and a queue", id="account"
        ),
        pytest.param(
            "https://sqs.us-east-1.amazonaws.com/q", "an account and a queue", id="one-part"
        ),
        pytest.param(
            "https://sqs.us-east-1.amazonaws.com/x/111122223333/q",
            "an account and",
            id="three-parts",
        ),
        pytest.param("https://sqs.us-east-1.amazonaws.com", "a queue's name", id="no-path"),
        pytest.param(
            f"https://sqs.us-east-1.amazonaws.com/{PLACE} x",
            "character that is not allowed",
            id="space",
        ),
        pytest.param(
            f"https://sqs.us-east-1.amazonaws.com.cn/{PLACE}", "no host under", id="suffix"
        ),
        pytest.param(f"https://sqs.moon.amazonaws.com/{PLACE}", "region moon", id="region"),
    ],
)
def test_an_invalid_queue_url_is_refused_and_not_quoted(url, words):
    with pytest.raises(ValueError, match=words) as caught:
        regions.parse_queue_url(url)

    assert "hunter2" not in str(caught.value)


def test_a_region_that_contradicts_the_url_is_refused():
    url = f"https://sqs.us-east-1.amazonaws.com/{PLACE}"

    assert regions.parse_queue_url(url, "US_STANDARD").region == "us-east-1"
    with pytest.raises(ValueError, match="is in us-east-1, but queue_region is us-west-2"):
        regions.parse_queue_url(url, "us-west-2")


def test_all_urls_of_one_queue_have_one_identity():
    hosts = [
        "https://sqs.us-east-1.amazonaws.com",
        "https://us-east-1.queue.amazonaws.com",
        "https://queue.amazonaws.com",
        "https://sqs-fips.us-east-1.amazonaws.com",
        VPCE,
    ]

    assert {regions.parse_queue_url(f"{host}/{PLACE}").identity for host in hosts} == {
        "arn:aws:sqs:us-east-1:111122223333:cloudtrail"
    }


def test_queues_of_two_emulators_have_two_identities():
    one, other = (
        regions.parse_queue_url(f"http://h:{port}/{PLACE}", "us-east-1") for port in (1, 2)
    )

    assert one.identity != other.identity


@given(st.text() | st.text(alphabet="htps:/.amzonwsqu-1[]@?#% ").map(lambda t: f"https://{t}"))
def test_any_text_is_a_queue_url_or_refused(text):
    try:
        found = regions.parse_queue_url(text, "us-east-1")
    except ValueError:
        return
    assert found.name
