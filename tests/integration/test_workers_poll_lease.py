"""Who polls is killed, and another control worker goes on."""

import gzip
import json
import time

import pytest

from tests.support.fleet import until
from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub
from trailcourier.host import child_process
from trailcourier.ledger import broker

GOES_ON = 15.0  # seconds; the poll lease of who was killed lives for ten
KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/a.json.gz"


@pytest.fixture
def stubs():
    with SqsStub() as sqs, S3Stub() as s3:
        yield sqs, s3


@pytest.fixture
def holder(own_broker):
    """A function that says who holds the poll lease: a token; empty for nobody."""
    with broker.connect(own_broker.url) as client:
        yield lambda: (client.get("trailcourier:1:s:prod:poll:0") or b"").partition(b"|")[2]


@pytest.mark.slow
def test_another_control_worker_polls_soon_after_the_one_that_did_was_killed(
    own_fleet, stubs, holder
):
    sqs, s3 = stubs
    own_fleet.collect(sqs, s3)
    own_fleet.environment |= {"TRAILCOURIER_LINE__EXPERT__POLL": "60"}  # so the first still polls
    started = [own_fleet.worker("-Q", role, "-n", f"{role}@a") for role in ("objects", "control")]
    started.append(own_fleet.celery("-A", "beat", "-q", "beat", "--pidfile="))
    until(holder, what=lambda: "".join(each.output for each in started))
    polls = holder()
    second = own_fleet.worker("-Q", "control", "-n", "control@b")
    until(lambda: "Task trailcourier.poll" in second.output, what=lambda: second.output)  # in vain
    assert holder() == polls

    child_process.kill(started[1].process)
    killed = time.monotonic()
    until(lambda: not sqs.long_polls)  # which would still take a message
    s3.put("acme-logs", KEY, gzip.compress(b'{"Records":[{"eventID":"1"}]}'))
    sqs.send("trail", json.dumps({"s3Bucket": "acme-logs", "s3ObjectKey": [KEY]}))

    until(lambda: not sqs.messages("trail"), seconds=90, what=lambda: second.output)
    assert holder() not in {b"", polls}
    (received,) = [entry for entry in sqs.log("ReceiveMessage") if entry.ids]
    assert received.at - killed < GOES_ON
