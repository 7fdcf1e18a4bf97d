"""The log files of the bench: their names, their content, and the notifications for them.

The content comes from the demo's generator of events (``trailcourier.demo.events``).
"""

import datetime as dt
import gzip
import json
import random

from trailcourier.demo.event_context import EventContext
from trailcourier.demo.events import event

ACCOUNT = "111122223333"
REGION = "eu-west-1"
BUCKET = "acme-cloudtrail"
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/28"
STEM = f"{ACCOUNT}_CloudTrail_{REGION}_20261128T2005Z_"
SEEDS = 10  # different files of each size; the last digit of a file's name is its seed
WRITTEN = dt.datetime(2026, 11, 28, 20, 10, tzinfo=dt.UTC)


def log_file_name(events: int, serial: int) -> str:
    """Return a log file's name; its last sixteen characters are the event count and *serial*."""
    return f"{STEM}{events:04}{serial:012}"


def log_file(events: int, seed: int = 1) -> bytes:
    """Return a log file as CloudTrail stores it: gzip, one line, one envelope.

    The same *seed* gives the same bytes.
    """
    context = EventContext(random.Random(seed), ACCOUNT, REGION, WRITTEN)
    records = ",".join(
        json.dumps(event(context), separators=(",", ":"), ensure_ascii=False) for _ in range(events)
    )
    return gzip.compress(f'{{"Records":[{records}]}}'.encode(), mtime=0)


def notification_body(names: list[str]) -> str:
    """Return the body of an SQS message: CloudTrail's notification in an SNS envelope."""
    keys = [f"{FOLDER}/{name}.json.gz" for name in names]
    notification = {"s3Bucket": BUCKET, "s3ObjectKey": keys}
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "7b0b1b0e-7c6f-5f4d-9d7c-4b5f6f1d2c3a",
            "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:cloudtrail",
            "Message": json.dumps(notification, separators=(",", ":")),
            "Timestamp": "2026-11-28T20:07:25.652Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE" * 49,
            "SigningCertURL": f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService.pem",
            "UnsubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe",
        }
    )
