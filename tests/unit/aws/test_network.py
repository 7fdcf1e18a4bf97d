import os
from unittest import mock

import pytest
from botocore.utils import should_bypass_proxies
from hypothesis import example, given
from hypothesis import strategies as st

from trailcourier.aws.network import Network

HOSTS = [
    "sqs.us-east-1.amazonaws.com", "s3.example.com", "example.com", "127.0.0.1", "localhost",
    "10.1.2.3", "[fd00::1]",
]  # fmt: skip


def test_a_services_own_endpoint_precedes_the_general_one():
    network = Network(endpoint_url="http://all:1", endpoints=(("s3", "http://s3:2"),))

    assert network.endpoint("s3") == "http://s3:2"
    assert network.endpoint("sqs") == "http://all:1"
    assert Network().endpoint("s3") is None


def test_a_proxy_is_chosen_by_scheme():
    network = Network(https_proxy="http://secure:1", http_proxy="http://plain:2")

    assert network.proxy("https://example.com/") == "http://secure:1"
    assert network.proxy("http://example.com/") == "http://plain:2"
    assert Network().proxy("https://example.com/") is None


def test_a_proxy_without_a_scheme_speaks_http():
    network = Network(https_proxy="user:word@secure:1")

    assert network.proxy("https://example.com/") == "http://user:word@secure:1"


NAMES = st.sampled_from(
    [*HOSTS, "*", ".example.com", "amazonaws.com", "ample.com", "EXAMPLE.com", " s3.example.com ",
     "example.com:443", "127.0.0", "", "127.0.0.1:8080", "10.0.0.0/8", "[fd00::1]", ":443"]
)  # fmt: skip


@given(st.sampled_from(HOSTS), st.sampled_from(["", ":443", ":8080"]), st.lists(NAMES, max_size=3))
@example("example.com", "", ["*"])
@example("s3.example.com", ":443", [".example.com"])
def test_no_proxy_matches_as_in_botocore(host, port, names):
    no_proxy = ",".join(names)
    network = Network(https_proxy="http://proxy:1", no_proxy=no_proxy)
    url = f"https://{host}{port}/x"

    direct = network.proxy(url) is None

    environment = {"no_proxy": no_proxy, "https_proxy": "http://proxy:1"}
    with mock.patch.dict(os.environ, environment, clear=True):
        assert direct == should_bypass_proxies(url)


def test_no_proxy_may_name_an_ipv6_address_without_brackets():
    network = Network(https_proxy="http://proxy:1", no_proxy="fd00::1")

    assert network.proxy("https://[fd00::1]:8443/") is None
    assert network.proxy("https://[fd00::2]/") == "http://proxy:1"


@pytest.mark.parametrize("field", ["https_proxy", "http_proxy", "endpoint_url"])
def test_a_password_in_a_url_is_not_shown(field):
    assert "hunter2" not in repr(Network(**{field: "http://user:hunter2@host:1"}))


def test_a_network_is_hashable():
    assert hash(Network(endpoints=(("s3", "x"),))) == hash(Network(endpoints=(("s3", "x"),)))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"],
)
@pytest.mark.parametrize("port", ["", ":80"])
def test_a_metadata_service_never_uses_a_proxy(address, port):
    network = Network(https_proxy="http://proxy:1", http_proxy="http://proxy:1")

    assert network.proxy(f"http://{address}{port}/latest/api/token") is None
    assert network.proxy(f"https://{address}{port}/") is None
    assert network.proxy("http://169.254.169.25/") == "http://proxy:1"


def test_hosts_are_fips_or_dualstack_if_the_environment_or_the_source_says_so():
    network = Network(fips=True).with_hosts(fips=False, dualstack=True)

    assert (network.fips, network.dualstack) == (True, True)


def test_a_url_is_used_for_its_service_only():
    network = Network().with_endpoint("sqs", "http://queue:1").with_endpoint("s3", None)

    assert (network.endpoint("sqs"), network.endpoint("s3")) == ("http://queue:1", None)
