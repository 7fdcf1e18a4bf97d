"""What a queue holds besides the messages that announce good log files."""

import json
import random
from collections.abc import Iterator

from trailcourier.demo import notification_bodies
from trailcourier.demo.files import damage, log_file
from trailcourier.demo.traffic import Group, LogFile, SentMessage, s3_object, sent_message

BUCKET = "example-cloudtrail"
STRANGE_BUCKET = "somebody-elses-bucket"
POISON = "{this is not JSON, and was never meant to be"
FOLDER = "AWSLogs/111122223333"


def harmless_traffic(rng: random.Random) -> Iterator[Group]:
    """Yield objects that hold no events, and messages that announce no log; all are deleted."""
    digest = f"{FOLDER}/CloudTrail-Digest/us-east-1/2026/11/24/111122223333_CloudTrail-Digest_"
    for key, body in (
        (f"{digest}us-east-1_trail_us-east-1_20261124T090000Z.json.gz", b"signed, and no events"),
        (f"{FOLDER}/CloudTrail/", b""),  # the marker CloudTrail leaves when a trail is made
        (f"{FOLDER}/Config/us-east-1/2026/11/24/ConfigSnapshot/a.json.gz", b"no events"),
    ):
        location = s3_object(BUCKET, key, body)
        yield [LogFile(location, body), sent_message("s3", "sqs", [location])]
    gone = s3_object(BUCKET, f"{FOLDER}/CloudTrail/us-east-1/2026/11/23/gone.json.gz", b"")
    yield [
        SentMessage(
            "s3-removed", "sqs", notification_bodies.s3([gone], name="ObjectRemoved:Delete")
        )
    ]
    yield [SentMessage("s3-test", "sqs", notification_bodies.test_event(BUCKET))]
    yield [
        SentMessage("aws-config", rng.choice(("sns", "sns-raw")), notification_bodies.aws_config())
    ]


def refused_traffic(rng: random.Random) -> Iterator[Group]:
    """Yield what is refused: each of these messages stays in the queue."""
    yield [SentMessage("poison", "sqs", POISON, kept_mark=POISON)]
    yield [
        SentMessage(
            "subscription",
            "sqs",
            notification_bodies.subscription(),
            kept_mark="SubscriptionConfirmation",
        )
    ]
    strange = s3_object(STRANGE_BUCKET, f"{FOLDER}/CloudTrail/us-east-1/2026/11/24/x.json.gz", b"")
    yield [sent_message("cloudtrail", "sns", [strange], kept_mark=STRANGE_BUCKET)]
    cut = damage(log_file(rng, 1000), lambda body: body[: len(body) // 2])
    yield [cut, sent_message("cloudtrail", "sns", [cut.location], kept_mark=file_name(cut))]
    good = [log_file(rng, number, bucket=BUCKET) for number in (1001, 1002)]
    long = damage(log_file(rng, 1003, bucket=BUCKET), lambda body: body + b"and more")
    objects = [file.location for file in (good[0], long, good[1])]
    yield [*good, long, sent_message("s3", "sns-raw", objects, kept_mark=file_name(long))]
    text = json.dumps({"Events": []}).encode()
    stranger = s3_object(BUCKET, f"{FOLDER}/CloudTrail/us-east-1/2026/11/24/stranger.json", text)
    yield [
        LogFile(stranger, text),
        sent_message("eventbridge", "sns", [stranger], kept_mark="stranger.json"),
    ]


def file_name(file: LogFile) -> str:
    """Return the last part of the file's key; no notification format encodes it."""
    return file.location.key.rpartition("/")[2]
