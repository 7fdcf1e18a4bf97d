"""From the topic to the queue."""

import json
import re

import pytest

from tests.support.aws_front import OWNER, json_answer
from tests.support.http_stub import Reply
from tests.support.trail_account import (
    BUCKET,
    QUEUE_ARN,
    REGION,
    TOPIC,
    TOPIC_ARN,
    TRAIL_ARN,
    allowing,
)

KEY_ARN = f"arn:aws:kms:{REGION}:123456789012:key/1234"


def of_group(report, beginning):
    return {id_: level for id_, level in report.levels.items() if id_.startswith(beginning)}


def test_a_healthy_subscription_is_ok(doctor):
    report = doctor()

    assert of_group(report, "TC4") == dict.fromkeys(
        ("TC401", "TC402", "TC404", "TC405", "TC406"), "ok"
    )
    assert report.one("TC401").text == f"{TOPIC_ARN} may notify this queue of log files"


def test_an_unsubscribed_queue_is_an_error_with_the_command_that_subscribes_it(doctor, account):
    account.unsubscribe()

    report = doctor()

    assert report.errors == ["TC402"]
    assert report.one("TC402").fix == (
        f"Subscribe it: aws sns subscribe --topic-arn {TOPIC_ARN} --protocol sqs "
        f"--notification-endpoint {QUEUE_ARN}"
    )


def test_a_subscription_on_a_later_page_is_found(doctor, account):
    for at in range(101):
        account.client("sns").subscribe(
            TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=f"{QUEUE_ARN}-{at}"
        )
    account.unsubscribe()
    account.client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=QUEUE_ARN)

    assert doctor().one("TC402").level == "ok"
    assert len(account.front.asked("sns:ListSubscriptionsByTopic")) == 2


def pending(reply):
    body = re.sub(rb"<SubscriptionArn>[^<]*<", b"<SubscriptionArn>PendingConfirmation<", reply.body)
    return reply._replace(body=body, length=None)


def test_a_subscription_that_waits_for_its_confirmation_is_an_error(doctor, account):
    account.front.changes["sns:ListSubscriptionsByTopic"] = pending

    report = doctor()

    assert report.errors == ["TC403"]
    assert "quarantine show" in report.one("TC403").fix
    assert "TC406" not in report.levels


def test_a_topic_that_cloudtrail_may_not_publish_to_is_an_error(doctor, account):
    account.topic_policy(allowing("s3.amazonaws.com", "sns:Publish", TOPIC_ARN, "arn:aws:s3:::x"))

    report = doctor()

    assert report.errors == ["TC404"]
    needed = json.loads(report.one("TC404").fix.partition(": ")[2])
    assert needed["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert needed["Condition"] == {"ArnEquals": {"aws:SourceArn": TRAIL_ARN}}


def test_a_topic_policy_with_unknown_conditions_is_not_checked(doctor, account):
    policy = json.loads(allowing("cloudtrail.amazonaws.com", "sns:Publish", TOPIC_ARN, TRAIL_ARN))
    policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceOrgID": "o-abc"}}
    account.topic_policy(json.dumps(policy))

    found = doctor().one("TC404")

    assert found.level == "not-checked"
    assert "depends on conditions" in found.text


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("", id="none"),
        pytest.param(
            allowing("sns.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, f"{TOPIC_ARN}-other"),
            id="another-topic",
        ),
    ],
)
def test_a_queue_policy_that_does_not_allow_the_topic_is_an_error(doctor, account, policy):
    account.queue_attributes(Policy=policy)

    report = doctor()

    assert report.errors == ["TC405"]
    needed = json.loads(report.of("TC405")[0].fix.partition(": ")[2])
    assert needed["Action"] == "sqs:SendMessage"
    assert needed["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPIC_ARN}}


def test_a_filter_policy_that_drops_every_notification_is_an_error(doctor, account):
    sns = account.client("sns")
    (found,) = sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    sns.set_subscription_attributes(
        SubscriptionArn=found["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue='{"kind": ["log"]}',
    )

    found = doctor().one("TC406")

    assert found.level == "error"
    assert '{"kind": ["log"]}' in found.text


@pytest.mark.parametrize(
    ("action", "id_"),
    [
        ("sns:ListSubscriptionsByTopic", "TC402"),
        ("sns:GetTopicAttributes", "TC404"),
        ("sns:GetSubscriptionAttributes", "TC406"),
    ],
)
def test_a_denied_call_is_not_checked_and_has_the_statement(doctor, account, action, id_):
    account.front.denied[action] = ""

    report = doctor()

    assert report.errors == []
    found = report.one(id_)
    assert found.level == "not-checked"
    assert found.text.startswith(f"{OWNER} may not {action} on {TOPIC_ARN}: ")
    assert f'"Action": "{action}", "Resource": "{TOPIC_ARN}"' in found.fix


def test_a_topic_is_known_by_the_trail_where_the_queues_policy_may_not_be_seen(doctor, account):
    account.front.denied["sqs:GetQueueAttributes"] = ""

    report = doctor()

    assert report.one("TC402").level == "ok"
    assert report.one("TC405").level == "not-checked"


def test_without_buckets_and_policy_every_trail_may_be_the_one(doctor, account):
    account.front.denied["sqs:GetQueueAttributes"] = ""

    report = doctor(instead={"buckets": "#"})

    assert report.one("TC402").level == "ok"


def test_a_topic_is_known_by_the_queues_policy_where_trails_may_not_be_seen(doctor, account):
    account.front.denied["cloudtrail:DescribeTrails"] = ""

    report = doctor()

    assert report.one("TC402").level == "ok"
    assert report.one("TC405").level == "ok"


def test_with_neither_nothing_is_known_of_what_announces(doctor, account):
    account.front.denied |= {"cloudtrail:DescribeTrails": "", "sqs:GetQueueAttributes": ""}

    report = doctor()

    assert of_group(report, "TC4") == {"TC401": "not-checked"}
    assert report.errors == []


def test_a_bucket_that_announces_by_a_topic_is_seen_in_its_notifications(doctor, account):
    account.trail(SnsTopicName=None)
    bucket = f"arn:aws:s3:::{BUCKET}"
    account.topic_policy(allowing("s3.amazonaws.com", "sns:Publish", TOPIC_ARN, bucket))
    account.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "TopicConfigurations": [{"TopicArn": TOPIC_ARN, "Events": ["s3:ObjectCreated:*"]}]
        },
    )

    report = doctor()

    assert report.errors == []
    assert f"s3.amazonaws.com sns:Publish on {TOPIC_ARN} for {bucket}" in report.one("TC404").text
    assert report.one("TC505").level == "ok"


def key_policy(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "kms:*"}
    policy = json.dumps({"Statement": [statement | {"Resource": "*"}]})
    return lambda _: json_answer({"Policy": policy, "PolicyName": "default"})


def encrypt_topic(account, key):
    account.client("sns").set_topic_attributes(
        TopicArn=TOPIC_ARN, AttributeName="KmsMasterKeyId", AttributeValue=key
    )


@pytest.mark.parametrize(
    ("service", "level"), [("cloudtrail.amazonaws.com", "ok"), ("sns.amazonaws.com", "error")]
)
def test_an_encrypted_topic_needs_a_key_that_cloudtrail_may_use(doctor, account, service, level):
    encrypt_topic(account, KEY_ARN)
    account.front.answers["kms:GetKeyPolicy"] = key_policy(service)

    found = doctor().one("TC407")

    assert found.level == level
    assert level == "ok" or '["kms:GenerateDataKey*", "kms:Decrypt"]' in found.fix


def test_an_encrypted_queue_needs_a_key_that_sns_may_use(doctor, account):
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.queue_attributes(KmsMasterKeyId=key)

    report = doctor()

    found = report.one("TC407")
    assert found.level == "error"
    assert f"sns.amazonaws.com kms:GenerateDataKey on {key}" in found.text


def test_a_key_with_a_denied_policy_is_not_checked(doctor, account):
    encrypt_topic(account, KEY_ARN)
    account.front.denied["kms:GetKeyPolicy"] = ""

    found = doctor().one("TC407")

    assert found.level == "not-checked"
    assert f'"Action": "kms:GetKeyPolicy", "Resource": "{KEY_ARN}"' in found.fix


def test_the_managed_key_keeps_cloudtrail_from_publishing(doctor, account):
    encrypt_topic(account, "alias/aws/sns")

    report = doctor()

    assert report.errors == ["TC407"]
    assert "alias/aws/sns" in report.one("TC407").text


def test_of_two_topics_one_subscribed_is_enough(doctor, account):
    other = account.client("sns").create_topic(Name=f"{TOPIC}-other")["TopicArn"]
    policy = json.loads(allowing("sns.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, TOPIC_ARN))
    policy["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"] = [TOPIC_ARN, other]
    account.queue_attributes(Policy=json.dumps(policy))

    report = doctor()

    assert report.errors == []
    assert [each.level for each in report.of("TC402")] == ["ok", "warning"]


def test_an_sns_that_fails_for_a_moment_proves_nothing(doctor, account):
    account.front.answers["sns:ListSubscriptionsByTopic"] = lambda _: Reply(
        503, b"<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>"
    )

    assert doctor().one("TC402").level == "not-checked"
