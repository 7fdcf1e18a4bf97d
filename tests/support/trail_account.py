"""An AWS account as the manual has it set up: a trail, its bucket, topic, queue and log files."""

import contextlib
import gzip
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Self

import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.server import ThreadedMotoServer
from moto.sns.models import Subscription

from tests.support.aws_answers import session
from tests.support.aws_front import ACCOUNT, Front
from trailcourier.aws import clients
from trailcourier.aws.network import Network

REGION = "eu-west-1"
BUCKET = "acme-cloudtrail"
QUEUE, DEAD, TOPIC, TRAIL = "cloudtrail", "cloudtrail-dead", "cloudtrail", "all-regions"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"
DEAD_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD}"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"
TRAIL_ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{TRAIL}"


def allowing(service: str, action: str, resource: str, source: str) -> str:
    """A resource's policy that lets *service* do *action* for *source*."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class TrailAccount:
    """Everything is well; a test breaks one thing.  ``front`` is what the collector asks."""

    def __init__(self, moto: str, front: Front) -> None:
        self.moto = moto
        self.front = front

    def prepare(self) -> Self:
        """Begin anew with an account in which everything is well."""
        urllib3.request("POST", f"{self.moto}/moto-api/reset", timeout=20)
        self.front.reset()
        s3, sqs, sns = self.client("s3"), self.client("sqs"), self.client("sns")
        where = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        sqs.create_queue(QueueName=DEAD, Attributes={"MessageRetentionPeriod": "1209600"})
        self._policy = allowing("sns.amazonaws.com", "sqs:SendMessage", QUEUE_ARN, TOPIC_ARN)
        redrive = json.dumps({"deadLetterTargetArn": DEAD_ARN, "maxReceiveCount": 10})
        attributes = {"RedrivePolicy": redrive, "Policy": self._policy}
        sqs.create_queue(QueueName=QUEUE, Attributes=attributes)
        publish = allowing("cloudtrail.amazonaws.com", "sns:Publish", TOPIC_ARN, TRAIL_ARN)
        sns.create_topic(Name=TOPIC, Attributes={"Policy": publish})
        sns.subscribe(TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=QUEUE_ARN)
        self.trail()
        self.deliver()
        return self

    def trail(self, **more: Any) -> None:
        """Make the trail, in place of the one there is."""
        trails = self.client("cloudtrail")
        with contextlib.suppress(trails.exceptions.TrailNotFoundException):
            trails.delete_trail(Name=TRAIL)
        settings = {"SnsTopicName": TOPIC, "IsMultiRegionTrail": True} | more
        settings = {"EnableLogFileValidation": True, "S3BucketName": BUCKET} | settings
        given = {name: value for name, value in settings.items() if value is not None}
        trails.create_trail(Name=TRAIL, **given)
        trails.start_logging(Name=TRAIL)

    def deliver(self, *, ago: timedelta = timedelta(), announce: bool = True, **more: Any) -> str:
        """Put a log file where CloudTrail would, and announce it; give its key."""
        now = datetime.now(UTC) - ago
        name = f"{ACCOUNT}_CloudTrail_{REGION}_{now:%Y%m%dT%H%M}Z_{secrets.token_hex(8)}.json.gz"
        key = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{now:%Y/%m/%d}/{name}"
        body = gzip.compress(json.dumps({"Records": [{"eventID": name}]}).encode())
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body, **more)
        if announce:
            notice = json.dumps({"s3Bucket": BUCKET, "s3ObjectKey": [key]})
            self.client("sns").publish(TopicArn=TOPIC_ARN, Message=notice)
        return key

    def empty(self) -> None:
        """Take every object away."""
        s3 = self.client("s3")
        for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])

    def purge(self) -> None:
        self.client("sqs").purge_queue(QueueUrl=self.queue_url(at=self.moto))

    def queue_url(self, name: str = QUEUE, *, at: str = "") -> str:
        return f"{at or self.front.url}/{ACCOUNT}/{name}"

    def queue_attributes(self, **attributes: str) -> None:
        """Change these; the policy stays, which moto would forget."""
        url = self.queue_url(at=self.moto)
        kept = {"Policy": self._policy, **attributes}
        self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=kept)

    def topic_policy(self, policy: str) -> None:
        self.client("sns").set_topic_attributes(
            TopicArn=TOPIC_ARN, AttributeName="Policy", AttributeValue=policy
        )

    def unsubscribe(self) -> None:
        """Take away the queue's subscription."""
        sns = self.client("sns")
        for each in sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]:
            if each["Endpoint"] == QUEUE_ARN:
                sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])

    def client(self, service: str, region: str = REGION) -> Any:
        """A client of moto itself, which lets everybody do everything."""
        return _client(self.moto, service, region)


@cache
def _client(url: str, service: str, region: str) -> Any:
    return clients.make_client(session(), service, region, network=Network(endpoint_url=url))


@cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def one_key_for_all() -> None:
    """Have moto's SNS sign with one key: one for each subscription costs a tenth of a second."""
    Subscription.private_key = lambda _: _private_key()


@contextlib.contextmanager
def trail_account() -> Iterator[TrailAccount]:
    """Moto's server and the front before it, for as long as the block lasts."""
    one_key_for_all()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    moto = f"http://{host}:{port}"
    try:
        with Front(moto) as front:
            yield TrailAccount(moto, front)
    finally:
        server.stop()
