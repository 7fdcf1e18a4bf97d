import json

import pytest

from tests.support.aws_answers import session
from tests.support.sqs_stub import SqsStub
from trailcourier.aws import regions
from trailcourier.aws.network import Network
from trailcourier.provision import first_receive

LOG = {"s3Bucket": "acme-logs", "s3ObjectKey": ["AWSLogs/1.json.gz", "AWSLogs/2.json.gz"]}


@pytest.fixture
def stub():
    with SqsStub() as running:
        running.create("trail")
        yield running


@pytest.fixture
def receive(stub):
    slept = []

    def received(**more):
        address = regions.parse_queue_url(stub.queue_url("trail"), "us-east-1")
        network = Network(endpoint_url=stub.url)
        options = {"network": network, "wait": 0, "sleep": slept.append, **more}
        return first_receive.receive(session(), address, **options)

    received.slept = slept
    return received


def test_an_empty_queue_is_live_and_the_text_says_when_to_expect_messages(receive):
    live = receive()

    assert live.good
    assert "is empty: the first log file arrives five to fifteen minutes" in live.summary


def test_messages_are_described_and_left_in_the_queue(receive, stub):
    stub.send("trail", "CloudTrail validation message.", json.dumps(LOG), "nonsense")

    live = receive()
    again = receive()

    assert live == again
    for text in (
        "1 x CloudTrail tests the topic when it is set on a trail",
        "1 x a notification of 2 log files (cloudtrail)",
        "1 x a message that is not-understood",
    ):
        assert text in live.summary


def test_a_key_that_has_not_propagated_yet_is_retried(receive, stub):
    stub.fault("ReceiveMessage", code="InvalidClientTokenId", status=403, times=2)

    live = receive()

    assert live.good
    assert receive.slept == [first_receive.RETRY_SECONDS] * 2


def test_a_queue_that_keeps_denying_is_not_live(receive, stub):
    stub.fault("ReceiveMessage", code="AccessDenied", status=403, times=-1)

    live = receive(patience=0)

    assert not live.good
    assert live.summary.startswith("the queue cannot be received from: ")
    assert "AccessDenied" in live.summary
