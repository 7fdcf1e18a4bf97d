import pytest
from botocore.exceptions import ClientError

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsCall
from trailcourier.provision.propagation import explain_delay
from trailcourier.provision.step_runner import CallFailed, StepRunner


def failed(call, code, message=""):
    service, operation = call.split(":")
    error = ClientError({"Error": {"Code": code, "Message": message}}, operation)
    return calls.failure(AwsCall(service, operation), error)


@pytest.mark.parametrize(
    ("call", "code", "message", "why"),
    [
        ("cloudtrail:CreateTrail", "InsufficientSnsTopicPolicyException", "", "topic's policy"),
        ("cloudtrail:UpdateTrail", "InsufficientS3BucketPolicyException", "", "bucket's policy"),
        ("sqs:CreateQueue", "AWS.SimpleQueueService.QueueDeletedRecently", "", "after a minute"),
        ("sqs:CreateQueue", "QueueDeletedRecently", "", "after a minute"),
        ("s3:PutBucketPolicy", "MalformedPolicy", "Invalid principal in policy", "names a user"),
        ("iam:CreateRole", "MalformedPolicyDocument", "Invalid principal", "names a user"),
        (
            "s3:PutBucketNotificationConfiguration",
            "InvalidArgument",
            "Unable to validate the following destination configurations",
            "queue's policy",
        ),
        ("s3:PutBucketNotificationConfiguration", "InvalidArgument", "overlapping suffixes", ""),
        ("cloudtrail:CreateTrail", "AccessDeniedException", "", ""),
        ("cloudtrail:StartLogging", "InsufficientSnsTopicPolicyException", "", ""),
    ],
)
def test_only_what_time_repairs_is_retried(call, code, message, why):
    found = explain_delay(failed(call, code, message))

    assert why in found
    assert bool(found) == bool(why)


class Client:
    """Fails as often as *failures* has errors, then succeeds."""

    def __init__(self, *failures):
        self.failures = list(failures)

    def can_paginate(self, _):
        return False

    def create_queue(self):
        if self.failures:
            raise self.failures.pop(0)
        return {}


DELETED = ClientError({"Error": {"Code": "QueueDeletedRecently", "Message": "wait"}}, "CreateQueue")
QUEUE = AwsCall("sqs", "CreateQueue")


def test_a_retried_call_is_reported_by_its_name(monkeypatch):
    monkeypatch.setattr("trailcourier.provision.step_runner.RETRY_SECONDS", 0)
    lines = []
    client = Client(DELETED, DELETED)

    StepRunner(lambda *_: client, "x", on_wait=lines.append).change(QUEUE)

    assert len(lines) == 2
    assert lines[0].startswith("sqs:CreateQueue: SQS frees a deleted queue's name after a minute")


def test_patience_ends():
    with pytest.raises(CallFailed):
        StepRunner(lambda *_: Client(DELETED), "x", patience=-1).change(QUEUE)
