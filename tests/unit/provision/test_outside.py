from types import SimpleNamespace

import pytest

from trailcourier.provision.outside import outside

FILE = SimpleNamespace(type="file", path="events")


def sink(**values):
    return SimpleNamespace(**{"type": "webhook", **values})


def test_s13_records_of_the_standard_partition_may_go_anywhere():
    assert list(outside("aws", {"siem": sink(url="https://siem.example.com")})) == []


def test_s13_a_sink_on_this_host_is_where_the_host_is():
    (said,) = outside("aws-us-gov", {"archive": FILE})

    assert said == ("sink archive: writes on this host; if that is outside aws-us-gov, records are")


@pytest.mark.parametrize(
    ("partition", "values"),
    [
        ("aws-us-gov", {"url": "https://us.webhook.example.com/x"}),
        ("aws-us-gov", {"url": "https://firehose.us-east-1.amazonaws.com"}),
        ("aws-cn", {"host": "siem.example.com:514"}),
        ("aws-eusc", {"url": "https://sqs.eu-central-1.amazonaws.com"}),
        ("aws-us-gov", {}),
    ],
)
def test_s13_a_sink_elsewhere_is_said_to_take_records_out(partition, values):
    (said,) = outside(partition, {"siem": sink(**values)})

    assert f"is not in {partition}: records leave it" in said


@pytest.mark.parametrize(
    ("partition", "values"),
    [
        ("aws-us-gov", {"url": "https://firehose.us-gov-west-1.amazonaws.com"}),
        ("aws-cn", {"url": "https://es.cn-north-1.amazonaws.com.cn"}),
        ("aws-eusc", {"endpoint": "https://es.eusc-de-east-1.amazonaws.eu"}),
        ("aws-us-gov", {"host": "10.1.2.3:514"}),
    ],
)
def test_s13_a_sink_inside_is_not_mentioned(partition, values):
    assert list(outside(partition, {"siem": sink(**values)})) == []
