"""What a queue holds beside notices of good log files."""

import json
import random
from collections.abc import Iterator

from trailcourier.demo import notices
from trailcourier.demo.files import damaged, log_file
from trailcourier.demo.traffic import Group, LogFile, Notice, notice, placed

BUCKET = "example-cloudtrail"
STRANGE_BUCKET = "somebody-elses-bucket"
POISON = "{this is not JSON, and was never meant to be"
FOLDER = "AWSLogs/111122223333"


def harmless(rng: random.Random) -> Iterator[Group]:
    """Objects that hold no events, and messages that announce none; their messages are deleted."""
    digest = f"{FOLDER}/CloudTrail-Digest/us-east-1/2026/11/24/111122223333_CloudTrail-Digest_"
    for key, body in (
        (f"{digest}us-east-1_trail_us-east-1_20261124T090000Z.json.gz", b"signed, and no events"),
        (f"{FOLDER}/CloudTrail/", b""),  # the marker CloudTrail leaves when a trail is made
        (f"{FOLDER}/Config/us-east-1/2026/11/24/ConfigSnapshot/a.json.gz", b"no events"),
    ):
        where = placed(BUCKET, key, body)
        yield [LogFile(where, body), notice("s3", "sqs", [where])]
    gone = placed(BUCKET, f"{FOLDER}/CloudTrail/us-east-1/2026/11/23/gone.json.gz", b"")
    yield [Notice("s3-removed", "sqs", notices.s3([gone], name="ObjectRemoved:Delete"))]
    yield [Notice("s3-test", "sqs", notices.test_event(BUCKET))]
    yield [Notice("aws-config", rng.choice(("sns", "sns-raw")), notices.aws_config())]


def harmful(rng: random.Random) -> Iterator[Group]:
    """What is refused: each of its messages stays in the queue."""
    yield [Notice("poison", "sqs", POISON, left=POISON)]
    yield [Notice("subscription", "sqs", notices.subscription(), left="SubscriptionConfirmation")]
    strange = placed(STRANGE_BUCKET, f"{FOLDER}/CloudTrail/us-east-1/2026/11/24/x.json.gz", b"")
    yield [notice("cloudtrail", "sns", [strange], left=STRANGE_BUCKET)]
    cut = damaged(log_file(rng, 1000), lambda body: body[: len(body) // 2])
    yield [cut, notice("cloudtrail", "sns", [cut.where], left=name_of(cut))]
    good = [log_file(rng, number, bucket=BUCKET) for number in (1001, 1002)]
    long = damaged(log_file(rng, 1003, bucket=BUCKET), lambda body: body + b"and more")
    objects = [file.where for file in (good[0], long, good[1])]
    yield [*good, long, notice("s3", "sns-raw", objects, left=name_of(long))]
    text = json.dumps({"Events": []}).encode()
    stranger = placed(BUCKET, f"{FOLDER}/CloudTrail/us-east-1/2026/11/24/stranger.json", text)
    yield [LogFile(stranger, text), notice("eventbridge", "sns", [stranger], left="stranger.json")]


def name_of(file: LogFile) -> str:
    """The last part of its key, which every shape of notice has as it is."""
    return file.where.key.rpartition("/")[2]
