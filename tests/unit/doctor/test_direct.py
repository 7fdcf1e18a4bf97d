"""A bucket that announces by itself, without a topic."""

import json

import pytest

from tests.http_stub import Reply
from tests.trail_account import BUCKET, QUEUE_ARN, REGION, TOPIC_ARN, allowing

BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
RULE_ARN = f"arn:aws:events:{REGION}:123456789012:rule/logs"


@pytest.fixture
def by_s3(account):
    """Have the queue's policy let the bucket send, and no topic be there."""
    policy = allowing("s3.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, BUCKET_ARN)
    account.queue_attributes(Policy=policy)
    account.trail(SnsTopicName=None)
    return account


def notify(account, *events, **names):
    wanted = {"QueueArn": QUEUE_ARN, "Events": list(events) or ["s3:ObjectCreated:*"]}
    if names:
        rules = [{"Name": name, "Value": value} for name, value in names.items()]
        wanted["Filter"] = {"Key": {"FilterRules": rules}}
    account.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [wanted]}
    )


def test_a_bucket_that_announces_by_itself_needs_no_topic(doctor, by_s3):
    notify(by_s3, prefix="AWSLogs/", suffix=".json.gz")

    said = doctor()

    assert said.errors == []
    assert said.one("TC401").text == f"log files are announced by {BUCKET_ARN}"
    assert said.one("TC408").level == "ok"
    assert said.one("TC505").text.endswith("is announced by S3")


@pytest.mark.parametrize("events", [(), ("s3:ObjectRemoved:*",)], ids=["nothing", "removals"])
def test_a_bucket_that_may_and_does_not_is_the_error(doctor, by_s3, events):
    if events:
        notify(by_s3, *events)

    said = doctor()

    assert said.errors == ["TC408"]
    assert said.one("TC408").text == (
        f"the notifications of {BUCKET} name no created objects for this queue"
    )
    assert said.one("TC505").text == "not looked at: TC408 comes first"


def test_notifications_that_leave_log_files_out_are_the_error(doctor, by_s3):
    notify(by_s3, prefix="CloudTrail/")

    said = doctor()

    assert said.errors == ["TC408"]
    assert "leave out log files such as AWSLogs/" in said.one("TC408").text


def test_notifications_that_may_not_be_seen_are_unproved_with_the_statement(doctor, by_s3):
    by_s3.front.denied["s3:GetBucketNotification"] = ""

    found = doctor().one("TC408")

    assert found.level == "unproved"
    assert f'"s3:GetBucketNotification", "Resource": "{BUCKET_ARN}"' in found.fix


def test_beside_a_topic_it_is_a_warning(doctor, account):
    both = {"s3.amazonaws.com": BUCKET_ARN, "sns.amazonaws.com": TOPIC_ARN}
    policies = [
        json.loads(allowing(who, "sqs:SendMessage", QUEUE_ARN, source))
        for who, source in both.items()
    ]
    statements = [each for policy in policies for each in policy["Statement"]]
    account.queue_attributes(Policy=json.dumps(policies[0] | {"Statement": statements}))

    said = doctor()

    assert said.errors == []
    assert said.one("TC408").level == "warning"


def test_what_goes_by_eventbridge_is_not_seen_further(doctor, account):
    policy = allowing("events.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, RULE_ARN)
    account.queue_attributes(Policy=policy)
    account.trail(SnsTopicName=None)
    told = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"

    off = doctor()
    account.front.answers["s3:GetBucketNotification"] = lambda _: Reply(
        200, told, (("Content-Type", "application/xml"),)
    )
    on = doctor()

    assert off.errors == ["TC408"]
    assert off.one("TC408").text.endswith("for EventBridge")
    assert on.errors == []
    assert on.one("TC408").level == "unproved"
    assert RULE_ARN in on.one("TC408").text


def test_where_a_topic_alone_announces_nothing_is_said_of_it(doctor):
    assert "TC408" not in doctor().levels
