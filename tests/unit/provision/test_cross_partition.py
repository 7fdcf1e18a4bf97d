from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter

from trailcourier.aws.network import Peer
from trailcourier.errors import ConfigError
from trailcourier.provision.cross_partition import explain_partition_exit, list_partition_warnings
from trailcourier.sinks import SinkConfig

COLLECTOR = {"type": "insightidr", "way": "collector", "host": "10.1.2.3", "port": 514}


def configured(**values):
    return TypeAdapter(SinkConfig).validate_python(values)


def sink(*urls):
    """A sink of a type that does not exist yet."""
    return SimpleNamespace(type="webhook", peers=lambda: tuple(Peer(each) for each in urls))


def test_records_of_the_standard_partition_may_go_anywhere():
    sinks = {"siem": configured(**COLLECTOR), "other": sink("https://siem.example.com")}

    assert list(list_partition_warnings("aws", sinks)) == []


def test_a_sink_on_this_host_may_be_outside_with_the_host():
    archive = configured(type="file", path="events")

    (warning,) = list_partition_warnings("aws-us-gov", {"archive": archive})

    assert warning.startswith("sink archive: writes to this host; if the host is outside partition")
    assert explain_partition_exit("aws-us-gov", "archive", archive) == ""


def test_insightidr_takes_records_out_even_through_a_collector_inside():
    (warning,) = list_partition_warnings("aws-us-gov", {"siem": configured(**COLLECTOR)})

    assert warning.startswith("sink siem: InsightIDR stores records in standard AWS regions: ")
    assert "they leave partition aws-us-gov" in warning


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
def test_a_sink_on_a_host_outside_gives_a_warning(partition, url):
    (warning,) = list_partition_warnings(partition, {"siem": sink(url)})

    assert warning.startswith(f"sink siem: {Peer(url).host} is not an AWS host of partition ")
    assert "records leave the partition" in warning


def test_a_sink_whose_host_cannot_be_read_may_be_outside():
    def gone():
        raise ConfigError(["the file is gone"])

    warning = explain_partition_exit("aws-cn", "siem", SimpleNamespace(type="webhook", peers=gone))

    assert "a host that is not known" in warning


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
def test_a_sink_on_a_host_inside_gives_no_warning(partition, url):
    assert list(list_partition_warnings(partition, {"siem": sink(url)})) == []
