import importlib.util
import json
import subprocess
import sys
import time

import boto3
import pytest

from tests import servers
from trailcourier import provision
from trailcourier.demo import aws
from trailcourier.demo.simulator import simulate
from trailcourier.demo.traffic import Notice
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.notifications import decode
from trailcourier.provision import facts


@pytest.fixture(scope="module")
def account():
    with servers.moto() as started:
        yield started


@pytest.fixture
def sqs(account):
    client = boto3.client(
        "sqs",
        region_name=aws.REGION,
        endpoint_url=account.url,
        aws_access_key_id="demo",
        aws_secret_access_key="demo",
    )
    yield client
    client.purge_queue(QueueUrl=account.queue_url)
    client.close()


def test_a_simulation_is_played_onto_the_wire(account, sqs):
    traffic = simulate(5, files=12)

    for step in traffic.steps:
        account.play(step)

    held = account.held()
    assert len(held) == len(traffic.notices)
    for part in traffic.left:
        assert sum(part in body for body in held) == 1


def test_shapes_arrive_as_their_routes_wrap_them(account, sqs):
    traffic = simulate(5, files=30)

    for notice in traffic.notices:
        if notice.shape in {"cloudtrail", "s3", "eventbridge"} and not notice.left:
            account.play(notice)
    shapes = {decode(body).shape for body in account.held()}

    bare = {"cloudtrail", "s3", "eventbridge"}
    assert shapes == bare | {f"sns/{shape}" for shape in bare}


def test_files_lie_in_their_buckets(account):
    traffic = simulate(5, files=12)
    s3 = boto3.client(
        "s3",
        region_name=aws.REGION,
        endpoint_url=account.url,
        aws_access_key_id="demo",
        aws_secret_access_key="demo",
    )

    for file in traffic.files:
        account.play(file)
        there = s3.get_object(Bucket=file.where.bucket, Key=file.where.key)

        assert there["Body"].read() == file.body
        assert there["ETag"].strip('"') == file.where.etag
    s3.close()


def test_the_queue_has_a_dead_letter_queue(account, sqs):
    told = sqs.get_queue_attributes(QueueUrl=account.queue_url, AttributeNames=["RedrivePolicy"])

    redrive = json.loads(told["Attributes"]["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 10
    assert redrive["deadLetterTargetArn"].endswith(aws.DEAD)


def test_the_aws_side_is_the_one_that_setup_makes(account):
    found = facts.found(aws.SETUP, account._client)
    asker = provision.Asker(account._client, aws.SETUP.name)

    told = list(provision.survey(provision.plan(aws.SETUP, found), asker))

    assert {each.state for each in told} == {"already so"}
    assert {"queue", "topic", "subscription", "trail", "logging"} <= {each.step for each in told}


def test_a_hidden_message_is_still_held(account, sqs):
    account.play(Notice("poison", "sqs", "poison"))
    sqs.receive_message(QueueUrl=account.queue_url, VisibilityTimeout=600)

    assert account.held() == ["poison"]
    assert account.held(aws.DEAD) == []


def test_a_receive_does_not_cost_more_the_more_waits(account, sqs):
    for number in range(40):
        entries = [{"Id": str(each), "MessageBody": f"{number}"} for each in range(10)]
        sqs.send_message_batch(QueueUrl=account.queue_url, Entries=entries)

    started = time.monotonic()
    for _ in range(5):
        sqs.receive_message(QueueUrl=account.queue_url, MaxNumberOfMessages=10)

    assert time.monotonic() - started < 1  # unmended: 1.4 s on a fast machine, for these five


def test_moto_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with (
        pytest.raises(ConfigError, match=r"trailcourier\[demo\]"),
        aws.emulated({}, subprocess.DEVNULL),
    ):
        pass


def test_an_emulator_that_does_not_start_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/true")

    with pytest.raises(Unreachable, match="did not start"), aws.emulated({}, subprocess.DEVNULL):
        pass
