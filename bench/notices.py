"""The files of the bench by name, and the notices that announce them."""

import json

ACCOUNT = "111122223333"
REGION = "eu-west-1"
BUCKET = "acme-cloudtrail"
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/28"
STEM = f"{ACCOUNT}_CloudTrail_{REGION}_20261128T2005Z_"
SEEDS = 10  # different files of each size; a name's last digit says which it is


def name(events: int, serial: int) -> str:
    """A log file's own name: its last sixteen characters say how many events it holds."""
    return f"{STEM}{events:04}{serial:012}"


def body(names: list[str]) -> str:
    """A message as it lies in the queue: CloudTrail's notice in the envelope SNS puts round it."""
    keys = [f"{FOLDER}/{each}.json.gz" for each in names]
    notice = {"s3Bucket": BUCKET, "s3ObjectKey": keys}
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "7b0b1b0e-7c6f-5f4d-9d7c-4b5f6f1d2c3a",
            "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:cloudtrail",
            "Message": json.dumps(notice, separators=(",", ":")),
            "Timestamp": "2026-11-28T20:07:25.652Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE" * 49,
            "SigningCertURL": f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService.pem",
            "UnsubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe",
        }
    )
