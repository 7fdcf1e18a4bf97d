"""Destroying the AWS side: only what setup created, and never a log file."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.support.http_stub import Reply
from trailcourier.provision.permissions import Denied


@pytest.fixture
def applied(site):
    found = site()
    found.apply()
    return found


def test_everything_that_setup_created_is_removed(applied):
    reports = applied.destroy()

    assert {each.state for each in reports.values()} == {"removed"}
    assert (
        applied.client("sqs").list_queues(QueueNamePrefix=applied.name).get("QueueUrls", []) == []
    )
    for call in (
        lambda: applied.client("cloudtrail").get_trail(Name=applied.name),
        lambda: applied.client("s3").head_bucket(Bucket=applied.layout.bucket),
        lambda: applied.client("sns").get_topic_attributes(TopicArn=applied.layout.topic_arn),
        lambda: applied.client("iam").get_user(UserName=applied.name),
        lambda: applied.client("iam").get_group(GroupName=applied.name),
    ):
        with pytest.raises(ClientError):
            call()


def test_a_second_destroy_finds_nothing(applied, gate):
    applied.destroy()
    gate.calls.clear()

    reports = applied.destroy()

    assert {each.state for each in reports.values()} == {"not found"}
    assert gate.changes == []


def test_a_bucket_with_log_files_is_kept_and_the_report_says_why(applied):
    applied.client("s3").put_object(
        Bucket=applied.layout.bucket, Key="AWSLogs/a.json.gz", Body=b"x"
    )

    reports = applied.destroy()

    assert reports["bucket"].state == "kept"
    assert "setup deletes no log files" in reports["bucket"].detail
    assert reports["trail"].state == "removed"
    assert applied.client("s3").get_object(Bucket=applied.layout.bucket, Key="AWSLogs/a.json.gz")


def test_what_others_created_under_the_same_names_is_kept(site):
    ours = site(reader="none")
    ours.client("sqs").create_queue(QueueName=ours.name)
    ours.client("s3").create_bucket(Bucket=ours.layout.bucket)
    ours.apply()

    reports = ours.destroy()

    assert (reports["queue"].state, reports["queue"].detail) == ("kept", "setup did not create it")
    assert reports["bucket"].state == "kept"
    assert ours.client("sqs").get_queue_url(QueueName=ours.name)
    # the entries that setup added to them are removed
    assert (reports["queue-policy"].state, reports["bucket-policy"].state) == ("removed", "removed")


def test_others_statements_are_kept(site):
    ours = site(bucket="kept-bucket", existing_bucket=True, reader="none")
    s3 = ours.client("s3")
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    s3.create_bucket(Bucket="kept-bucket")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    s3.put_bucket_policy(Bucket="kept-bucket", Policy=policy)
    ours.apply()

    reports = ours.destroy()

    left = json.loads(s3.get_bucket_policy(Bucket="kept-bucket")["Policy"])
    assert left["Statement"] == [theirs]
    assert "bucket" not in reports


def test_others_notifications_are_kept(site):
    ours = site(delivery="s3", reader="none")
    ours.apply()
    s3 = ours.client("s3")
    existing = s3.get_bucket_notification_configuration(Bucket=ours.layout.bucket)
    other = {**existing["QueueConfigurations"][0], "Id": "theirs", "Events": ["s3:ObjectRemoved:*"]}
    both = {"QueueConfigurations": [*existing["QueueConfigurations"], other]}
    s3.put_bucket_notification_configuration(
        Bucket=ours.layout.bucket, NotificationConfiguration=both
    )
    s3.put_object(Bucket=ours.layout.bucket, Key="a", Body=b"x")  # so that the bucket is kept

    ours.destroy()

    left = s3.get_bucket_notification_configuration(Bucket=ours.layout.bucket)
    assert [each["Id"] for each in left["QueueConfigurations"]] == ["theirs"]


def test_a_key_is_kept_for_what_it_encrypted(site):
    ours = site(kms_key="new", reader="none")
    ours.apply()

    reports = ours.destroy()

    assert reports["key"].state == "kept"
    assert "nobody can read again" in reports["key"].detail
    assert "kms schedule-key-deletion" in reports["key"].detail


def test_every_access_key_of_our_user_is_removed(applied, gate):
    applied.client("iam").create_access_key(UserName=applied.name)
    gate.calls.clear()

    reports = applied.destroy()

    assert (reports["access-key"].state, reports["user"].state) == ("removed", "removed")
    assert gate.calls.count("iam:DeleteAccessKey") == 2


def test_a_group_with_something_of_others_attached_is_kept(applied, gate):
    error = "<Type>Sender</Type><Code>DeleteConflict</Code><Message>detach first</Message>"
    body = f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode()
    gate.answers["iam:DeleteGroup"] = Reply(409, body, (("Content-Type", "text/xml"),))

    reports = applied.destroy()

    assert reports["group"].state == "kept"
    assert "something that setup did not create is attached" in reports["group"].detail
    assert reports["trail"].state == "removed"


def test_destroy_continues_after_a_failure_when_run_again(applied, gate):
    gate.denied.add("sns:DeleteTopic")
    with pytest.raises(Denied, match="sns:DeleteTopic"):
        applied.destroy()
    gate.denied.clear()

    reports = applied.destroy()

    assert reports["trail"].state == "not found"
    assert reports["topic"].state == "removed"
    assert reports["queue"].state == "removed"


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({"delivery": "eventbridge", "reader": "instance-profile"}, id="eventbridge"),
        pytest.param({"delivery": "s3", "reader": "pod-identity"}, id="s3"),
        pytest.param({"region": "us-gov-west-1"}, id="govcloud"),
    ],
)
def test_every_kind_of_set_up_is_removed(site, choices):
    ours = site(**choices)
    ours.apply()

    reports = ours.destroy()

    assert {each.state for name, each in reports.items() if name != "bucket-events"} == {"removed"}
    assert {each.state for each in ours.destroy().values()} == {"not found"}
