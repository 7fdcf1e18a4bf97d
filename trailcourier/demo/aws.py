"""The AWS side of the demo: buckets, topics, a queue and its dead-letter queue, all emulated."""

import contextlib
import functools
import importlib.util
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import urllib3

from trailcourier import aws, child, provision
from trailcourier.credentials import Credentials
from trailcourier.demo.traffic import BUCKETS, LogFile, Notice
from trailcourier.egress import Egress
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.provision import facts
from trailcourier.secret import Secret

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}  # the emulator takes any
SETUP = provision.Request(
    name="trailcourier-demo",
    source="demo",
    region=REGION,
    bucket=next(iter(BUCKETS)),
    reader="none",  # the emulator takes any key
)
QUEUE, DEAD = SETUP.name, f"{SETUP.name}-dead"
START_SECONDS = 60


@contextlib.contextmanager
def emulated(
    environment: Mapping[str, str], log: BinaryIO | int | None, serve: str = "127.0.0.1:0"
) -> Iterator["Account"]:
    """An emulated AWS that is set up and ends with the block; what it says goes to *log*.

    It listens on *serve*, ADDRESS:PORT.  Raises ConfigError if moto is not installed, Unreachable
    if it does not start.
    """
    if not all(importlib.util.find_spec(name) for name in ("moto", "flask")):
        raise ConfigError(["demo: moto is not installed: pip install 'trailcourier[demo]'"])
    process = child.start(
        [sys.executable, "-m", "trailcourier.demo.emulator", serve],
        environment=environment,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    try:
        account = Account(_address(process))
        account.prepare()
        yield account
    finally:
        child.stop(process, grace=2)


def _address(process: child.Process) -> str:
    """What the emulator says once it listens."""
    said = process.stdout
    if said is not None and select.select([said], [], [], START_SECONDS)[0]:
        address = said.readline().decode().strip()
        if address:
            return address
    raise Unreachable("demo: the emulated AWS (moto) did not start; its log says why")


class Account:
    """The emulated account at *url*, and the clients that set it up and play a simulation."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.queue_url = self.dead_url = ""
        egress = Egress(endpoint_url=url)
        key, secret = (Secret.public(value) for value in KEYS.values())
        who = Credentials(kind="iam-user", access_key_id=key, secret_access_key=secret)
        session = aws.session(who, source="demo", sts_region=REGION, egress=egress)

        @functools.cache
        def client(service: str, region: str) -> Any:
            return aws.client(session, service, region, egress=egress)

        self._client = client
        self._sqs, self._sns = client("sqs", REGION), client("sns", REGION)
        self._s3 = {region: client("s3", region) for region in set(BUCKETS.values())}
        self._topics: dict[str, str] = {}

    def prepare(self) -> None:
        """Make what a trail and its reader need, as ``setup`` does; and what others would have."""
        found = facts.found(SETUP, self._client)
        asker = provision.Asker(self._client, SETUP.name, caller=found.caller)
        for _ in provision.apply(provision.plan(SETUP, found), asker):
            pass
        self.queue_url = str(asker.known["queue_url"])
        self.dead_url = str(asker.known["dead_letter_queue_url"])
        layout = provision.Layout(SETUP, found)
        self._topics["sns"] = layout.topic_arn
        self._beside(layout.queue_arn)

    def _beside(self, queue_arn: str) -> None:
        """A bucket in another region, and a topic whose messages come bare: another trail's."""
        for bucket, region in BUCKETS.items():
            if bucket != SETUP.bucket:
                where = {"LocationConstraint": region}
                self._s3[region].create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        self._topics["sns-raw"] = self._sns.create_topic(Name="cloudtrail-raw")["TopicArn"]
        self._sns.subscribe(
            TopicArn=self._topics["sns-raw"],
            Protocol="sqs",
            Endpoint=queue_arn,
            Attributes={"RawMessageDelivery": "true"},
        )

    def play(self, step: LogFile | Notice) -> None:
        """Put a file into its bucket, or send a notice by its route."""
        match step:
            case LogFile(where, body):
                self._s3[where.region].put_object(Bucket=where.bucket, Key=where.key, Body=body)
            case Notice(route="sqs"):
                self._sqs.send_message(QueueUrl=self.queue_url, MessageBody=step.body)
            case Notice(route=route):
                self._sns.publish(TopicArn=self._topics[route], Message=step.body)

    def held(self, queue: str = QUEUE) -> list[str]:
        """The bodies of what lies in *queue*, visible or not."""
        answer = urllib3.request("GET", f"{self.url}/held", fields={"queue": queue}, timeout=10)
        found: list[str] = answer.json()
        return found
