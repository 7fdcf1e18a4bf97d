"""Taking the AWS side back: only what setup made, and never a log file."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.http_stub import Reply
from trailcourier.provision.permissions import Denied


@pytest.fixture
def made(site):
    found = site()
    found.apply()
    return found


def test_everything_that_setup_made_goes(made):
    told = made.destroy()

    assert {each.state for each in told.values()} == {"removed"}
    assert made.client("sqs").list_queues(QueueNamePrefix=made.name).get("QueueUrls", []) == []
    for call in (
        lambda: made.client("cloudtrail").get_trail(Name=made.name),
        lambda: made.client("s3").head_bucket(Bucket=made.layout.bucket),
        lambda: made.client("sns").get_topic_attributes(TopicArn=made.layout.topic_arn),
        lambda: made.client("iam").get_user(UserName=made.name),
        lambda: made.client("iam").get_group(GroupName=made.name),
    ):
        with pytest.raises(ClientError):
            call()


def test_a_second_destroy_finds_nothing(made, gate):
    made.destroy()
    gate.calls.clear()

    told = made.destroy()

    assert {each.state for each in told.values()} == {"not there"}
    assert gate.changes == []


def test_a_bucket_with_log_files_is_left_and_it_is_said_why(made):
    made.client("s3").put_object(Bucket=made.layout.bucket, Key="AWSLogs/a.json.gz", Body=b"x")

    told = made.destroy()

    assert told["bucket"].state == "left"
    assert "log files are not setup's to delete" in told["bucket"].detail
    assert told["trail"].state == "removed"
    assert made.client("s3").get_object(Bucket=made.layout.bucket, Key="AWSLogs/a.json.gz")


def test_what_others_made_under_the_same_names_is_left(site):
    ours = site(reader="none")
    ours.client("sqs").create_queue(QueueName=ours.name)
    ours.client("s3").create_bucket(Bucket=ours.layout.bucket)
    ours.apply()

    told = ours.destroy()

    assert (told["queue"].state, told["queue"].detail) == ("left", "setup did not make it")
    assert told["bucket"].state == "left"
    assert ours.client("sqs").get_queue_url(QueueName=ours.name)
    # what was added to them is taken away all the same
    assert (told["queue-policy"].state, told["bucket-policy"].state) == ("removed", "removed")


def test_statements_of_others_outlive_ours(site):
    ours = site(bucket="kept-bucket", existing_bucket=True, reader="none")
    s3 = ours.client("s3")
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    s3.create_bucket(Bucket="kept-bucket")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    s3.put_bucket_policy(Bucket="kept-bucket", Policy=policy)
    ours.apply()

    told = ours.destroy()

    left = json.loads(s3.get_bucket_policy(Bucket="kept-bucket")["Policy"])
    assert left["Statement"] == [theirs]
    assert "bucket" not in told


def test_notifications_of_others_outlive_ours(site):
    ours = site(delivery="s3", reader="none")
    ours.apply()
    s3 = ours.client("s3")
    held = s3.get_bucket_notification_configuration(Bucket=ours.layout.bucket)
    other = {**held["QueueConfigurations"][0], "Id": "theirs", "Events": ["s3:ObjectRemoved:*"]}
    both = {"QueueConfigurations": [*held["QueueConfigurations"], other]}
    s3.put_bucket_notification_configuration(
        Bucket=ours.layout.bucket, NotificationConfiguration=both
    )
    s3.put_object(Bucket=ours.layout.bucket, Key="a", Body=b"x")  # so that the bucket stays

    ours.destroy()

    left = s3.get_bucket_notification_configuration(Bucket=ours.layout.bucket)
    assert [each["Id"] for each in left["QueueConfigurations"]] == ["theirs"]


def test_a_key_is_left_for_what_it_encrypted(site):
    ours = site(kms_key="new", reader="none")
    ours.apply()

    told = ours.destroy()

    assert told["key"].state == "left"
    assert "could never be read again" in told["key"].detail
    assert "kms schedule-key-deletion" in told["key"].detail


def test_every_access_key_of_our_user_goes(made, gate):
    made.client("iam").create_access_key(UserName=made.name)
    gate.calls.clear()

    told = made.destroy()

    assert (told["access-key"].state, told["user"].state) == ("removed", "removed")
    assert gate.calls.count("iam:DeleteAccessKey") == 2


def test_a_group_that_others_attached_something_to_is_left(made, gate):
    told = "<Type>Sender</Type><Code>DeleteConflict</Code><Message>detach first</Message>"
    body = f"<ErrorResponse><Error>{told}</Error></ErrorResponse>".encode()
    gate.answers["iam:DeleteGroup"] = Reply(409, body, (("Content-Type", "text/xml"),))

    told = made.destroy()

    assert told["group"].state == "left"
    assert "something that setup did not make is attached" in told["group"].detail
    assert told["trail"].state == "removed"


def test_a_destroy_that_fails_half_way_goes_on_when_run_again(made, gate):
    gate.denied.add("sns:DeleteTopic")
    with pytest.raises(Denied, match="sns:DeleteTopic"):
        made.destroy()
    gate.denied.clear()

    told = made.destroy()

    assert told["trail"].state == "not there"
    assert told["topic"].state == "removed"
    assert told["queue"].state == "removed"


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({"delivery": "eventbridge", "reader": "instance-profile"}, id="eventbridge"),
        pytest.param({"delivery": "s3", "reader": "pod-identity"}, id="s3"),
        pytest.param({"region": "us-gov-west-1"}, id="govcloud"),
    ],
)
def test_every_form_is_taken_back(site, choices):
    ours = site(**choices)
    ours.apply()

    told = ours.destroy()

    assert {each.state for name, each in told.items() if name != "bucket-events"} == {"removed"}
    assert {each.state for each in ours.destroy().values()} == {"not there"}
