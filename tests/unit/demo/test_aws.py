import importlib.util
import json
import subprocess
import sys
import time

import boto3
import pytest

from tests.support import servers
from trailcourier import provision
from trailcourier.demo import aws
from trailcourier.demo.simulator import simulate
from trailcourier.demo.traffic import SentMessage
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.notifications import decode
from trailcourier.provision import account_facts


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


def test_simulated_traffic_is_played_onto_the_emulated_aws(account, sqs):
    traffic = simulate(5, files=12)

    for step in traffic.steps:
        account.play(step)

    bodies = account.queue_bodies()
    assert len(bodies) == len(traffic.messages)
    for mark in traffic.kept_marks:
        assert sum(mark in body for body in bodies) == 1


def test_notifications_arrive_as_their_routes_wrap_them(account, sqs):
    traffic = simulate(5, files=30)

    for message in traffic.messages:
        if message.kind in {"cloudtrail", "s3", "eventbridge"} and not message.kept_mark:
            account.play(message)
    shapes = {decode(body).shape for body in account.queue_bodies()}

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
        there = s3.get_object(Bucket=file.location.bucket, Key=file.location.key)

        assert there["Body"].read() == file.body
        assert there["ETag"].strip('"') == file.location.etag
    s3.close()


def test_the_queue_has_a_dead_letter_queue(account, sqs):
    answer = sqs.get_queue_attributes(QueueUrl=account.queue_url, AttributeNames=["RedrivePolicy"])

    redrive = json.loads(answer["Attributes"]["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 10
    assert redrive["deadLetterTargetArn"].endswith(aws.DEAD)


def test_the_aws_side_is_what_setup_creates(account):
    facts = account_facts.collect(aws.SETUP, account._client)
    runner = provision.StepRunner(account._client, aws.SETUP.name)

    reports = list(provision.preview_apply(provision.plan(aws.SETUP, facts), runner))

    assert {each.state for each in reports} == {"unchanged"}
    assert {"queue", "topic", "subscription", "trail", "logging"} <= {each.step for each in reports}


def test_the_bodies_of_hidden_messages_are_listed(account, sqs):
    account.play(SentMessage("poison", "sqs", "poison"))
    sqs.receive_message(QueueUrl=account.queue_url, VisibilityTimeout=600)

    assert account.queue_bodies() == ["poison"]
    assert account.queue_bodies(aws.DEAD) == []


def test_a_receive_costs_the_same_however_many_messages_wait(account, sqs):
    for number in range(40):
        entries = [{"Id": str(each), "MessageBody": f"{number}"} for each in range(10)]
        sqs.send_message_batch(QueueUrl=account.queue_url, Entries=entries)

    durations = []
    for _ in range(5):
        started = time.monotonic()
        sqs.receive_message(QueueUrl=account.queue_url, MaxNumberOfMessages=10)
        durations.append(time.monotonic() - started)

    assert min(durations) < 0.2  # unpatched: 0.28 s on a fast machine, for each


def test_the_error_for_missing_moto_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"trailcourier\[demo\]"):
        aws.demand_moto()


def test_an_emulator_that_does_not_start_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/true")

    with (
        pytest.raises(Unreachable, match="did not start"),
        aws.emulated_aws({}, subprocess.DEVNULL),
    ):
        pass
