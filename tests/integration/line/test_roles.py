"""Buckets of one source that are read as different people: one's end does not stop the others."""

import re
from dataclasses import replace

import pytest

from tests.integration.line.conftest import expected, log_file, notice, records
from tests.support import http_stub
from tests.support.aws_answers import s3_error
from trailcourier.aws import sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.objects import BucketAccess, Reader, Readers
from trailcourier.settings import Source

SOURCE = {
    "queue_url": "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail",
    "sinks": ["archive"],
}
KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/24/{}.json.gz"


class Bucket:
    """S3 with a log file in every bucket; *refused* are access keys it does not know."""

    def __init__(self):
        self.refused = set()
        self.asked = []

    def answer(self, request):
        (key,) = re.findall(r"Credential=(\w+)/", request.headers["authorization"])
        name = request.target.split("/")[1]
        self.asked.append((name, key))
        if key in self.refused:
            return s3_error(403, "InvalidAccessKeyId")
        body = log_file(records(name))
        return http_stub.Reply(200, body, (("ETag", f'"{name}"'),))


@pytest.fixture
def bucket():
    return Bucket()


def session(key, network):
    given = {"kind": "iam-user", "access_key_id": "env:ID", "secret_access_key": "env:KEY"}
    context = {"environ": {"ID": key, "KEY": "example"}}
    as_whom = Credentials.model_validate(given, context=context)
    return sessions.make_session(as_whom, source="prod", sts_region="us-east-1", network=network)


@pytest.fixture
def world(make, bucket):
    """A source that reads ``acme-eu-*`` as EU, ``acme-*`` as ACME and all others as itself."""
    with http_stub.Server(bucket.answer) as server:
        network = Network(endpoints=(("s3", server.url),))
        reach = BucketAccess(
            home="us-east-1",
            network=network,
            bucket_region="us-east-1",
            read_timeout=1,
            total_timeout=3,
        )

        def reader(key, *, own):
            return Reader(
                session(key, network), reach, max_compressed=1 << 20, bucket_credentials=own
            )

        own = {"acme-eu-*": reader("EU", own=True), "acme-*": reader("ACME", own=True)}
        globs = Source.model_validate({**SOURCE, "bucket_credentials": {glob: {} for glob in own}})
        yield make(
            reader=Readers(reader("SOURCE", own=False), own, globs.own_credentials),
            numbers={"breaker_failures": 2, "settle_gather": 0},
        )


def announce(world, *buckets):
    for name in buckets:
        world.sqs.send("trail", notice(KEY.format(name), bucket=name))


def test_each_bucket_is_read_as_the_first_glob_that_matches_says(world, bucket):
    announce(world, "acme-eu-logs", "acme-us-logs", "others")

    assert world.run() == ["delivered"] * 3
    assert set(bucket.asked) == {
        ("acme-eu-logs", "EU"),
        ("acme-us-logs", "ACME"),
        ("others", "SOURCE"),
    }


def test_a_role_that_ended_parks_its_own_buckets_and_no_others(world, bucket):
    bucket.refused.add("EU")
    announce(world, "acme-eu-logs", "others")

    statuses = world.run()
    announce(world, "acme-us-logs")

    assert sorted(statuses) == ["delivered", "parked"]
    assert world.run() == ["delivered"]
    (waiting,) = world.ledger.parked.list_some(5)
    assert (waiting.reason, waiting.breaker) == (
        "bucket-credentials",
        "bucket:prod:acme-eu-logs",
    )
    assert world.delivered() == expected("acme-us-logs", "others")


def test_its_breaker_opens_loudly_and_closes_when_the_role_is_good_again(world, bucket, capsys):
    bucket.refused.add("EU")
    announce(world, "acme-eu-logs")
    for at in range(2):
        world.sqs.send("trail", notice(KEY.format(f"more-{at}"), bucket="acme-eu-logs"))
    world.run()

    (opened,) = world.ledger.breakers.list_open()
    assert (opened.name, opened.reason) == ("bucket:prod:acme-eu-logs", "bucket-credentials")
    assert world.poll() == 0  # the queue is asked all the same, and has no more
    bucket.refused.clear()
    world.pass_time(31)
    world.maintenance()
    world.forward_all()
    for _ in range(3):  # one, two, four
        world.pass_time(1)
        world.maintenance()
        world.forward_all()

    assert world.ledger.breakers.list_open() == []
    assert world.waiting() == []


def test_a_bucket_read_as_another_does_not_vouch_for_the_source(world, bucket):
    bucket.refused.add("SOURCE")
    for name in ("others", "acme-us-logs", "others-too"):
        announce(world, name)
        world.run()

    # two failures of the source's own credentials in a row, for the delivery between says nothing
    assert [each.name for each in world.ledger.breakers.list_open()] == ["credentials:prod"]


def test_the_outcome_of_one_way_is_that_of_the_other(world):
    """A reader by itself and one among several answer alike."""
    alone = world.line.reader._default
    world.line = replace(world.line, reader=alone)
    announce(world, "others")

    assert world.run() == ["delivered"]
    assert alone.uses_source_credentials("others")
