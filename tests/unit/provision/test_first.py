import json

import pytest

from tests.aws_answers import session
from tests.sqs_stub import SqsStub
from trailcourier import regions
from trailcourier.egress import Egress
from trailcourier.provision import first

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
        address = regions.queue(stub.queue_url("trail"), "us-east-1")
        egress = Egress(endpoint_url=stub.url)
        told = {"egress": egress, "wait": 0, "sleep": slept.append, **more}
        return first.receive(session(), address, **told)

    received.slept = slept
    return received


def test_s58_an_empty_queue_is_live_and_it_is_said_when_to_expect_more(receive):
    live = receive()

    assert live.good
    assert "is empty: the first log file comes some five to fifteen minutes" in live.words


def test_s58_what_is_seen_is_said_and_left_as_it_is(receive, stub):
    stub.send("trail", "CloudTrail validation message.", json.dumps(LOG), "nonsense")

    live = receive()
    again = receive()

    assert live == again
    for words in (
        "1 x CloudTrail tries out the topic when it is set on a trail",
        "1 x a notice of 2 log files (cloudtrail)",
        "1 x a message that is not-understood",
    ):
        assert words in live.words


def test_s58_a_key_that_is_not_known_everywhere_yet_is_given_time(receive, stub):
    stub.fault("ReceiveMessage", code="InvalidClientTokenId", status=403, times=2)

    live = receive()

    assert live.good
    assert receive.slept == [first.PAUSE] * 2


def test_s58_a_queue_that_says_no_for_good_is_not_live(receive, stub):
    stub.fault("ReceiveMessage", code="AccessDenied", status=403, times=-1)

    live = receive(patience=0)

    assert not live.good
    assert live.words.startswith("the queue cannot be received from: ")
    assert "AccessDenied" in live.words
