from urllib.request import proxy_bypass_environment

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trailcourier.egress import Egress

HOSTS = ["sqs.us-east-1.amazonaws.com", "s3.example.com", "example.com", "127.0.0.1", "localhost"]


def test_a_service_s_own_endpoint_goes_before_the_one_for_all():
    egress = Egress(endpoint_url="http://all:1", endpoints=(("s3", "http://s3:2"),))

    assert egress.endpoint("s3") == "http://s3:2"
    assert egress.endpoint("sqs") == "http://all:1"
    assert Egress().endpoint("s3") is None


def test_a_proxy_is_chosen_by_scheme():
    egress = Egress(https_proxy="http://secure:1", http_proxy="http://plain:2")

    assert egress.proxy("https://example.com/") == "http://secure:1"
    assert egress.proxy("http://example.com/") == "http://plain:2"
    assert Egress().proxy("https://example.com/") is None


NAMES = st.sampled_from(
    [*HOSTS, "*", ".example.com", "amazonaws.com", "ample.com", "EXAMPLE.com", " s3.example.com ",
     "example.com:443", "127.0.0", ""]
)  # fmt: skip


@given(st.sampled_from(HOSTS), st.sampled_from(["", ":443", ":8080"]), st.lists(NAMES, max_size=3))
@example("example.com", "", ["*"])
@example("s3.example.com", ":443", [".example.com"])
def test_no_proxy_means_what_it_means_to_boto3(host, port, names):
    egress = Egress(https_proxy="http://proxy:1", no_proxy=",".join(names))

    direct = egress.proxy(f"https://{host}{port}/x") is None

    assert direct == bool(proxy_bypass_environment(f"{host}{port}", {"no": ",".join(names)}))


@pytest.mark.parametrize("field", ["https_proxy", "http_proxy", "endpoint_url"])
def test_a_password_in_a_url_is_not_shown(field):
    assert "hunter2" not in repr(Egress(**{field: "http://user:hunter2@host:1"}))


def test_egress_is_hashable():
    assert hash(Egress(endpoints=(("s3", "x"),))) == hash(Egress(endpoints=(("s3", "x"),)))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"],
)
@pytest.mark.parametrize("port", ["", ":80"])
def test_a_metadata_service_is_behind_no_proxy(address, port):
    egress = Egress(https_proxy="http://proxy:1", http_proxy="http://proxy:1")

    assert egress.proxy(f"http://{address}{port}/latest/api/token") is None
    assert egress.proxy(f"https://{address}{port}/") is None
    assert egress.proxy("http://169.254.169.25/") == "http://proxy:1"
