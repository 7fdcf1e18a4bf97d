from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter

from trailcourier.egress import Peer
from trailcourier.errors import ConfigError
from trailcourier.provision.outside import leaving, outside
from trailcourier.sinks import SinkConfig

COLLECTOR = {"type": "insightidr", "way": "collector", "host": "10.1.2.3", "port": 514}


def configured(**values):
    return TypeAdapter(SinkConfig).validate_python(values)


def sink(*urls):
    """A sink of a kind that there is not yet."""
    return SimpleNamespace(type="webhook", peers=lambda: tuple(Peer(each) for each in urls))


def test_s13_records_of_the_standard_partition_may_go_anywhere():
    sinks = {"siem": configured(**COLLECTOR), "other": sink("https://siem.example.com")}

    assert list(outside("aws", sinks)) == []


def test_s13_a_sink_on_this_host_is_where_the_host_is():
    archive = configured(type="file", path="events")

    (said,) = outside("aws-us-gov", {"archive": archive})

    assert said == "sink archive: writes on this host; if that is outside aws-us-gov, records are"
    assert leaving("aws-us-gov", "archive", archive) == ""


def test_s13_insightidr_keeps_records_outside_even_where_the_collector_is_inside():
    (said,) = outside("aws-us-gov", {"siem": configured(**COLLECTOR)})

    assert said.startswith("sink siem: InsightIDR keeps records in standard AWS regions: ")
    assert "they leave partition aws-us-gov" in said


@pytest.mark.parametrize(
    ("partition", "url"),
    [
        ("aws-us-gov", "https://us.webhook.example.com"),
        ("aws-us-gov", "https://firehose.us-east-1.amazonaws.com"),
        ("aws-cn", "tcp://siem.example.com:514"),
        ("aws-eusc", "https://sqs.eu-central-1.amazonaws.com"),
        ("aws-us-gov", "tls://198.18.7.7.example.com:514"),
    ],
)
def test_s13_a_sink_elsewhere_is_said_to_take_records_out(partition, url):
    (said,) = outside(partition, {"siem": sink(url)})

    assert said.startswith(f"sink siem: {Peer(url).host} is none of AWS's hosts in partition ")
    assert "records leave it" in said


def test_s13_a_sink_whose_host_a_lost_secret_names_may_be_outside():
    def gone():
        raise ConfigError(["the file is gone"])

    said = leaving("aws-cn", "siem", SimpleNamespace(type="webhook", peers=gone))

    assert "a host that is not known" in said


@pytest.mark.parametrize(
    ("partition", "url"),
    [
        ("aws-us-gov", "https://firehose.us-gov-west-1.amazonaws.com"),
        ("aws-cn", "https://es.cn-north-1.amazonaws.com.cn"),
        ("aws-eusc", "https://es.eusc-de-east-1.amazonaws.eu"),
        ("aws-us-gov", "tcp://10.1.2.3:514"),
        ("aws-cn", "tcp://localhost:514"),
    ],
)
def test_s13_a_sink_inside_is_not_mentioned(partition, url):
    assert list(outside(partition, {"siem": sink(url)})) == []
