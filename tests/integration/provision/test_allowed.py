"""The policies that setup makes, judged by moto's IAM: enough for the line, and for nothing else.

Only S3's and STS's codes are AWS's there; of SQS it is asked whether a call is let through.
"""

import json

import pytest
import urllib3
from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.credentials import Credentials
from trailcourier.egress import Egress
from trailcourier.secret import Secret

ACCOUNT = "123456789012"
REGION = "us-east-1"


@pytest.fixture
def iam_judges(moto):
    """Have moto ask IAM of every call from here on."""

    def judging(count):
        urllib3.request("POST", f"{moto}/moto-api/reset-auth", body=str(count), timeout=10)

    yield lambda: judging(0)
    judging("inf")


@pytest.fixture
def speaking(moto):
    """Make clients that speak with a key, to moto itself: a gate would spoil the signature."""

    def made(key_id, secret, service, token=None):
        keys = Credentials(
            kind="iam-user",
            access_key_id=Secret.public(key_id),
            secret_access_key=Secret.public(secret),
        )
        session = aws.session(keys, source="test", sts_region=REGION, egress=Egress())
        if token:
            session = session.__class__(key_id, secret, token, REGION)
        return aws.client(session, service, REGION, egress=Egress(endpoint_url=moto), attempts=1)

    return made


def let_through(call, **given):
    """Whether IAM lets *call* through, whatever becomes of it then."""
    try:
        call(**given)
    except ClientError as error:
        return not {"AccessDenied", "403"} & aws.codes(error)
    return True


class Reader:
    """What somebody with a key may do to a set-up's queue and bucket."""

    def __init__(self, made, client):
        sqs, s3 = client("sqs"), client("s3")
        url = f"{sqs.meta.endpoint_url}/{ACCOUNT}/{made.name}"
        queue, bucket = {"QueueUrl": url}, {"Bucket": made.layout.bucket}
        receipt = {**queue, "ReceiptHandle": "none"}
        self.asks = {
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
        return {name for name, (call, given) in self.asks.items() if let_through(call, **given)}


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
        # the manual's: every read of the bucket, and nothing of the queue but what has to be
        pytest.param("minimum", READS | {"s3:GetObject elsewhere", "s3:GetBucketPolicy"}, id="min"),
    ],
)
def test_s40_s41_the_users_key_may_do_what_the_line_does_and_no_more(
    site, iam_judges, speaking, form, may
):
    made = site(policy=form)
    made.apply()
    for key in ("AWSLogs/a.json.gz", "private/a"):
        made.client("s3").put_object(Bucket=made.layout.bucket, Key=key, Body=b"x")
    pair = made.known["access_key_id"], made.known["secret_access_key"]
    reader = Reader(made, lambda service: speaking(*pair, service))

    iam_judges()

    assert reader.may == may


@pytest.mark.parametrize("external_id", ["an-id", "mistyped"])
def test_a_role_across_accounts_is_taken_by_who_says_the_external_id(
    site, iam_judges, speaking, external_id
):
    iam, who = site().client("iam"), f"collector-{external_id}"
    taker = iam.create_user(UserName=who)["User"]["Arn"]
    made = site(reader="cross-account", principal=taker)
    made.apply()
    role = made.layout.role_arn
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_user_policy(UserName=who, PolicyName="take", PolicyDocument=document)
    key = iam.create_access_key(UserName=who)["AccessKey"]
    sts = speaking(key["AccessKeyId"], key["SecretAccessKey"], "sts")
    given = {"RoleArn": role, "RoleSessionName": "line", "ExternalId": external_id}

    iam_judges()

    if external_id == "mistyped":
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(**given)
        return
    held = sts.assume_role(**given)["Credentials"]
    trio = held["AccessKeyId"], held["SecretAccessKey"]
    reader = Reader(made, lambda service: speaking(*trio, service, held["SessionToken"]))
    assert READS - {"s3:GetObject"} <= reader.may
    assert not {"sqs:SendMessage", "s3:PutObject", "s3:GetBucketPolicy"} & reader.may
