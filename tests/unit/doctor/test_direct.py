"""A bucket that announces by itself, without a topic."""

import json

import pytest

from tests.support.http_stub import Reply
from tests.support.trail_account import BUCKET, QUEUE_ARN, REGION, TOPIC_ARN, allowing

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


def test_a_bucket_that_notifies_the_queue_directly_needs_no_topic(doctor, by_s3):
    notify(by_s3, prefix="AWSLogs/", suffix=".json.gz")

    report = doctor()

    assert report.errors == []
    assert report.one("TC401").text == f"{BUCKET_ARN} may notify this queue of log files"
    assert report.one("TC408").level == "ok"
    assert "S3 or EventBridge notifies" in report.one("TC505").text


@pytest.mark.parametrize("events", [(), ("s3:ObjectRemoved:*",)], ids=["nothing", "removals"])
def test_a_bucket_that_may_send_but_is_not_configured_to_is_an_error(doctor, by_s3, events):
    if events:
        notify(by_s3, *events)

    report = doctor()

    assert report.errors == ["TC408"]
    assert report.one("TC408").text == (f"{BUCKET} does not notify this queue of created objects")
    assert report.one("TC505").text == "not checked, because of TC408 above"


def test_notifications_that_exclude_log_files_are_an_error(doctor, by_s3):
    notify(by_s3, prefix="CloudTrail/")

    report = doctor()

    assert report.errors == ["TC408"]
    assert "exclude log files such as AWSLogs/" in report.one("TC408").text


def test_denied_notifications_are_not_checked_and_have_the_statement(doctor, by_s3):
    by_s3.front.denied["s3:GetBucketNotification"] = ""

    found = doctor().one("TC408")

    assert found.level == "not-checked"
    assert f'"s3:GetBucketNotification", "Resource": "{BUCKET_ARN}"' in found.fix


def test_beside_a_topic_it_is_a_warning(doctor, account):
    both = {"s3.amazonaws.com": BUCKET_ARN, "sns.amazonaws.com": TOPIC_ARN}
    policies = [
        json.loads(allowing(who, "sqs:SendMessage", QUEUE_ARN, source))
        for who, source in both.items()
    ]
    statements = [each for policy in policies for each in policy["Statement"]]
    account.queue_attributes(Policy=json.dumps(policies[0] | {"Statement": statements}))

    report = doctor()

    assert report.errors == []
    assert report.one("TC408").level == "warning"


@pytest.fixture
def by_rule(account):
    """Have the bucket notify EventBridge, and a rule be allowed to send."""
    policy = allowing("events.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, RULE_ARN)
    account.queue_attributes(Policy=policy)
    account.trail(SnsTopicName=None)
    notification = (
        b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"
    )

    account.front.answers["s3:GetBucketNotification"] = lambda _: Reply(
        200, notification, (("Content-Type", "application/xml"),)
    )
    return account


def rule(account, *targets, **more):
    events = account.client("events")
    events.put_rule(Name="logs", EventPattern='{"source": ["aws.s3"]}', **more)
    if targets:
        events.put_targets(Rule="logs", Targets=[{"Id": "1", "Arn": each} for each in targets])


def test_a_bucket_that_does_not_notify_eventbridge_is_an_error(doctor, by_rule):
    by_rule.front.answers.clear()

    report = doctor()

    assert report.errors == ["TC408"]
    assert "does not notify EventBridge" in report.one("TC408").text


def test_a_rule_that_is_on_and_targets_the_queue_is_ok(doctor, by_rule):
    rule(by_rule, QUEUE_ARN)

    report = doctor()

    assert report.errors == []
    assert report.one("TC408").text == (
        f"the EventBridge rule {RULE_ARN} is on and targets this queue"
    )


def test_a_rule_that_is_off_or_gone_or_goes_elsewhere_is_an_error(doctor, by_rule):
    gone = doctor()
    rule(by_rule)
    elsewhere = doctor()
    rule(by_rule, QUEUE_ARN, State="DISABLED")
    off = doctor()

    assert [each.errors for each in (gone, elsewhere, off)] == [["TC408"]] * 3
    assert "does not exist" in gone.one("TC408").text
    assert "does not target this queue" in elsewhere.one("TC408").text
    assert (
        off.one("TC408").fix == f"Enable it: aws events enable-rule --name logs --region {REGION}"
    )


def test_a_rule_that_may_not_be_looked_at_is_not_checked(doctor, by_rule):
    by_rule.front.denied["events:DescribeRule"] = ""

    found = doctor().one("TC408")

    assert found.level == "not-checked"
    assert '"events:DescribeRule"' in found.fix


def test_where_a_topic_alone_announces_eventbridge_is_not_mentioned(doctor):
    assert "TC408" not in doctor().levels
