"""The policies that setup creates, evaluated by moto's IAM: enough for the line, and no more.

moto's error codes match AWS's for S3 and STS only; for SQS the tests check only whether IAM denies.
"""

import json

import pytest
import urllib3
from botocore.exceptions import ClientError

from trailcourier.aws import clients, faults, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.secret import Secret

ACCOUNT = "123456789012"
REGION = "us-east-1"


@pytest.fixture
def iam_enforced(moto):
    """Return a function that makes moto evaluate IAM policies from then on."""

    def judging(count):
        urllib3.request("POST", f"{moto}/moto-api/reset-auth", body=str(count), timeout=10)

    yield lambda: judging(0)
    judging("inf")


@pytest.fixture
def clients_with_key(moto):
    """Return clients with a given key, connected to moto itself: a gate breaks the signature."""

    def made(key_id, secret, service, token=None):
        keys = Credentials(
            kind="iam-user",
            access_key_id=Secret.public(key_id),
            secret_access_key=Secret.public(secret),
        )
        session = sessions.make_session(keys, source="test", sts_region=REGION, network=Network())
        if token:
            session = session.__class__(key_id, secret, token, REGION)
        return clients.make_client(
            session,
            service,
            REGION,
            network=Network(endpoint_url=moto),
            limits=clients.CallLimits(attempts=1),
        )

    return made


def is_allowed(call, **given):
    """Return whether IAM allows *call*, whether or not the call then succeeds."""
    try:
        call(**given)
    except ClientError as error:
        return not {"AccessDenied", "403"} & faults.codes(error)
    return True


class KeyHolder:
    """What the holder of a key may do to a set-up's queue and bucket."""

    def __init__(self, made, client):
        sqs, s3 = client("sqs"), client("s3")
        url = f"{sqs.meta.endpoint_url}/{ACCOUNT}/{made.name}"
        queue, bucket = {"QueueUrl": url}, {"Bucket": made.layout.bucket}
        receipt = {**queue, "ReceiptHandle": "none"}
        self.calls = {
            "sqs:ReceiveMessage": (sqs.receive_message, {**queue, "WaitTimeSeconds": 0}),
            "sqs:DeleteMessage": (sqs.delete_message, receipt),
            "sqs:ChangeMessageVisibility": (
                sqs.change_message_visibility, {**receipt, "VisibilityTimeout": 0},
            ),
            "sqs:GetQueueAttributes": (sqs.get_queue_attributes, queue),
            "sqs:SendMessage": (sqs.send_message, {**queue, "MessageBody": "x"}),
            "sqs:PurgeQueue": (sqs.purge_queue, queue),
            "s3:ListBucket": (s3.list_objects_v2, bucket),
            "s3:GetBucketLocation": (s3.get_bucket_location, bucket),
            "s3:GetObject": (s3.get_object, {**bucket, "Key": "AWSLogs/a.json.gz"}),
            "s3:GetObject elsewhere": (s3.get_object, {**bucket, "Key": "private/a"}),
            "s3:PutObject": (s3.put_object, {**bucket, "Key": "AWSLogs/b", "Body": b"x"}),
            "s3:DeleteObject": (s3.delete_object, {**bucket, "Key": "AWSLogs/a.json.gz"}),
            "s3:GetBucketPolicy": (s3.get_bucket_policy, bucket),
        }  # fmt: skip

    @property
    def may(self):
        return {name for name, (call, given) in self.calls.items() if is_allowed(call, **given)}


READS = {
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "s3:ListBucket", "s3:GetBucketLocation",
    "s3:GetObject",
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "may"),
    [
        pytest.param(
            "recommended",
            READS | {"sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"},
            id="recommended",
        ),
        # the manual's: every read of the bucket, and of the queue only what is necessary
        pytest.param("minimum", READS | {"s3:GetObject elsewhere", "s3:GetBucketPolicy"}, id="min"),
    ],
)
def test_the_users_key_allows_what_the_line_does_and_no_more(
    site, iam_enforced, clients_with_key, form, may
):
    made = site(policy=form)
    made.apply()
    for key in ("AWSLogs/a.json.gz", "private/a"):
        made.client("s3").put_object(Bucket=made.layout.bucket, Key=key, Body=b"x")
    pair = made.known["access_key_id"], made.known["secret_access_key"]
    reader = KeyHolder(made, lambda service: clients_with_key(*pair, service))

    iam_enforced()

    assert reader.may == may


@pytest.mark.parametrize("external_id", ["an-id", "mistyped"])
def test_a_role_for_another_account_is_assumed_only_with_the_external_id(
    site, iam_enforced, clients_with_key, external_id
):
    iam, who = site().client("iam"), f"collector-{external_id}"
    collector = iam.create_user(UserName=who)["User"]["Arn"]
    made = site(reader="cross-account", principal=collector)
    made.apply()
    role = made.layout.role_arn
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_user_policy(UserName=who, PolicyName="take", PolicyDocument=document)
    key = iam.create_access_key(UserName=who)["AccessKey"]
    sts = clients_with_key(key["AccessKeyId"], key["SecretAccessKey"], "sts")
    given = {"RoleArn": role, "RoleSessionName": "line", "ExternalId": external_id}

    iam_enforced()

    if external_id == "mistyped":
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(**given)
        return
    session_keys = sts.assume_role(**given)["Credentials"]
    trio = session_keys["AccessKeyId"], session_keys["SecretAccessKey"]
    reader = KeyHolder(
        made, lambda service: clients_with_key(*trio, service, session_keys["SessionToken"])
    )
    assert READS - {"s3:GetObject"} <= reader.may
    assert not {"sqs:SendMessage", "s3:PutObject", "s3:GetBucketPolicy"} & reader.may
