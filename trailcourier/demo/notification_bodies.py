"""The bodies of notifications in every format, and of other messages in such a queue.

The formats follow the CloudTrail, S3 and EventBridge user guides.  The emulated SNS adds its own
envelopes.
"""

import json
from collections.abc import Sequence
from urllib.parse import quote_plus

import msgspec

TIME = "2026-11-24T09:00:00.000Z"
VALIDATION = "CloudTrail validation message."


class S3Object(msgspec.Struct, frozen=True):
    """One S3 object as notifications name it; *etag* without quotes."""

    bucket: str
    key: str
    size: int
    etag: str
    region: str = "us-east-1"


def cloudtrail(objects: Sequence[S3Object]) -> str:
    """Return CloudTrail's own notification; *objects* are of one bucket, their keys literal."""
    keys = [each.key for each in objects]
    return _json({"s3Bucket": objects[0].bucket, "s3ObjectKey": keys})


def s3(objects: Sequence[S3Object], *, name: str = "ObjectCreated:Put") -> str:
    """Return an S3 event notification; keys are form-encoded except for their slashes."""
    return _json({"Records": [_s3_record(each, name) for each in objects]})


def _s3_record(each: S3Object, name: str) -> dict[str, object]:
    bucket = {
        "name": each.bucket,
        "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
        "arn": f"arn:aws:s3:::{each.bucket}",
    }
    described = {"key": quote_plus(each.key, safe="/"), "size": each.size, "eTag": each.etag}
    return {
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "awsRegion": each.region,
        "eventTime": TIME,
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:regionalDeliverySession"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "EXAMPLE", "x-amz-id-2": "EXAMPLE"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "logs",
            "bucket": bucket,
            "object": {**described, "sequencer": "0055AED6DCD90281E5"},
        },
    }


def eventbridge(objects: Sequence[S3Object]) -> str:
    """Return EventBridge's "Object Created" of one object, its key literal."""
    (each,) = objects
    return _json(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": "111122223333",
            "time": TIME,
            "region": each.region,
            "resources": [f"arn:aws:s3:::{each.bucket}"],
            "detail": {
                "version": "0",
                "bucket": {"name": each.bucket},
                "object": {
                    "key": each.key,
                    "size": each.size,
                    "etag": each.etag,
                    "sequencer": "00617F08299329D189",
                },
                "request-id": "EXAMPLE",
                "requester": "cloudtrail.amazonaws.com",
                "source-ip-address": "192.0.2.1",
                "reason": "PutObject",
            },
        }
    )


def test_event(bucket: str) -> str:
    """Return what S3 sends when a bucket notification is configured."""
    fields = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": TIME, "Bucket": bucket}
    return _json({**fields, "RequestId": "EXAMPLE", "HostId": "EXAMPLE"})


def aws_config() -> str:
    """Return a notification of AWS Config, which shares CloudTrail's topic under Control Tower."""
    item = {"resourceType": "AWS::EC2::Instance", "resourceId": "i-0123456789abcdef0"}
    return _json(
        {
            "configurationItemDiff": None,
            "configurationItem": item,
            "notificationCreationTime": TIME,
            "messageType": "ConfigurationItemChangeNotification",
            "recordVersion": "1.3",
        }
    )


def subscription() -> str:
    """Return what an SNS topic of another account sends before the subscription is confirmed."""
    topic = "arn:aws:sns:us-east-1:444455556666:cloudtrail"
    return _json(
        {
            "Type": "SubscriptionConfirmation",
            "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
            "Token": "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92",
            "TopicArn": topic,
            "Message": f"You have chosen to subscribe to the topic {topic}.",
            "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
            "Timestamp": TIME,
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
