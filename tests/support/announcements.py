"""Bodies of messages as AWS writes them."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

BUCKET = "acme-cloudtrail"
KEY = (
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23/"
    "111122223333_CloudTrail_eu-west-1_20261123T0650Z_AbCdEfGhIjKlMnOp.json.gz"
)
ETAG = "d41d8cd98f00b204e9800998ecf8427e"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:cloudtrail"
VALIDATION = "CloudTrail validation message."
S3_TEST = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-11-23T06:50:00.000Z",
    "Bucket": BUCKET,
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}


def text(value: object) -> str:
    """Write *value* as AWS does: compact, other scripts as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def own(*keys: str, bucket: str = BUCKET) -> str:
    return text({"s3Bucket": bucket, "s3ObjectKey": list(keys)})


def entry(key: str = KEY, name: str = "ObjectCreated:Put", **fields: Any) -> dict[str, Any]:
    """One entry of an S3 event; *fields* are added to the object's."""
    return {
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-11-23T06:52:25.652Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "logs",
            "bucket": {
                "name": BUCKET,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": f"arn:aws:s3:::{BUCKET}",
            },
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": 1024,
                "eTag": ETAG,
                "sequencer": "0055AED6DCD90281E5",
                **fields,
            },
        },
    }


def s3(*entries: dict[str, Any]) -> str:
    return text({"Records": entries})


def s3_event(*keys: str) -> str:
    return s3(*map(entry, keys))


def eventbridge(key: str = KEY, kind: str = "Object Created", **fields: Any) -> str:
    """One event of S3; *fields* are added to the object's."""
    named = {"key": key, "size": 1024, "etag": ETAG, "sequencer": "0055AED6DCD90281E5"}
    return text(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": kind,
            "source": "aws.s3",
            "account": "111122223333",
            "time": "2026-11-23T06:52:25Z",
            "region": "eu-west-1",
            "resources": [f"arn:aws:s3:::{BUCKET}"],
            "detail": {
                "version": "0",
                "bucket": {"name": BUCKET},
                "object": named | fields,
                "request-id": "N4N7GDK58NMKJ12R",
                "requester": "111122223333",
                "source-ip-address": "192.0.2.1",
                "reason": "PutObject",
            },
        }
    )


def sns(message: str, **fields: Any) -> str:
    """The envelope SNS puts around *message* unless the subscription asks for raw delivery."""
    envelope = {
        "Type": "Notification",
        "MessageId": "7b0b1b0e-7c6f-5f4d-9d7c-4b5f6f1d2c3a",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-11-23T06:52:25.652Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }
    return text(envelope | fields)


def confirmation(kind: str = "SubscriptionConfirmation", **fields: Any) -> str:
    """What SNS sends to a queue of another account than the topic's."""
    asked = {
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37fb687f5d51e6e2425f004aead8a1f1c1e8",
        "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe to the topic.",
        "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
        "Timestamp": "2026-11-23T06:52:25.652Z",
        "SignatureVersion": "1",
    }
    return text(asked | fields)


def config(kind: str = "ConfigurationItemChangeNotification", **fields: Any) -> str:
    """What AWS Config says on the same topic."""
    return text({"messageType": kind, "recordVersion": "1.3"} | fields)


# How messages reach a queue: by name, what is put around them.
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "": lambda message: message,
    "sns/": sns,
    "sns/sns/": lambda message: sns(sns(message)),
    "sns/sns/sns/": lambda message: sns(sns(sns(message))),
}
SHAPES: dict[str, Callable[[str], str]] = {
    "cloudtrail": own,
    "s3": s3_event,
    "eventbridge": eventbridge,
}
