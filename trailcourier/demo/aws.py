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

from trailcourier import provision
from trailcourier.aws import clients, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.demo.traffic import BUCKETS, LogFile, SentMessage
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.host import child_process
from trailcourier.provision import account_facts
from trailcourier.secret import Secret

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}  # moto accepts any
SETUP = provision.SetupRequest(
    name="trailcourier-demo",
    source="demo",
    region=REGION,
    bucket=next(iter(BUCKETS)),
    reader="none",  # moto accepts any key
)
QUEUE, DEAD = SETUP.name, f"{SETUP.name}-dead"
START_SECONDS = 60


def demand_moto() -> None:
    """Raise ConfigError if the extra ``demo`` is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("moto", "flask")):
        raise ConfigError(["demo: moto is not installed: pip install 'trailcourier[demo]'"])


@contextlib.contextmanager
def emulated_aws(
    environment: Mapping[str, str], log: BinaryIO | int | None, listen: str = "127.0.0.1:0"
) -> Iterator["DemoAccount"]:
    """Run an emulated AWS with the demo's resources until the block ends; *log* gets its stderr.

    It listens on *listen*, ADDRESS:PORT.  Raises Unreachable if it does not start.
    """
    process = child_process.start(
        [sys.executable, "-m", "trailcourier.demo.emulator", listen],
        environment=environment,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    try:
        account = DemoAccount(_read_address(process))
        account.prepare()
        yield account
    finally:
        child_process.stop(process, grace=2)


def _read_address(process: child_process.Process) -> str:
    """Return the URL that the emulator prints once it listens."""
    output = process.stdout
    if output is not None and select.select([output], [], [], START_SECONDS)[0]:
        address = output.readline().decode().strip()
        if address:
            return address
    raise Unreachable("demo: the emulated AWS (moto) did not start; its log says why")


class DemoAccount:
    """The emulated account at *url*, with the clients that set it up and send traffic."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.queue_url = self.dead_url = ""
        network = Network(endpoint_url=url)
        key, secret = (Secret.public(value) for value in KEYS.values())
        credentials = Credentials(kind="iam-user", access_key_id=key, secret_access_key=secret)
        session = sessions.make_session(
            credentials, source="demo", sts_region=REGION, network=network
        )

        @functools.cache
        def client(service: str, region: str) -> Any:
            return clients.make_client(session, service, region, network=network)

        self._client = client
        self._sqs, self._sns = client("sqs", REGION), client("sns", REGION)
        self._s3 = {region: client("s3", region) for region in set(BUCKETS.values())}
        self._topics: dict[str, str] = {}

    def prepare(self) -> None:
        """Create what a trail and its reader need, as ``setup`` does, and a second trail's part."""
        found = account_facts.collect(SETUP, self._client)
        runner = provision.StepRunner(self._client, SETUP.name, caller=found.caller)
        for _ in provision.apply(provision.plan(SETUP, found), runner):
            pass
        self.queue_url = str(runner.known["queue_url"])
        self.dead_url = str(runner.known["dead_letter_queue_url"])
        layout = provision.Layout(SETUP, found)
        self._topics["sns"] = layout.topic_arn
        self._create_second_trail(layout.queue_arn)

    def _create_second_trail(self, queue_arn: str) -> None:
        """Create a bucket in another region, and a topic with raw message delivery."""
        for bucket, region in BUCKETS.items():
            if bucket != SETUP.bucket:
                constraint = {"LocationConstraint": region}
                self._s3[region].create_bucket(Bucket=bucket, CreateBucketConfiguration=constraint)
        self._topics["sns-raw"] = self._sns.create_topic(Name="cloudtrail-raw")["TopicArn"]
        self._sns.subscribe(
            TopicArn=self._topics["sns-raw"],
            Protocol="sqs",
            Endpoint=queue_arn,
            Attributes={"RawMessageDelivery": "true"},
        )

    def play(self, step: LogFile | SentMessage) -> None:
        """Put a file into its bucket, or send a message by its route."""
        match step:
            case LogFile(location, body):
                client = self._s3[location.region]
                client.put_object(Bucket=location.bucket, Key=location.key, Body=body)
            case SentMessage(route="sqs"):
                self._sqs.send_message(QueueUrl=self.queue_url, MessageBody=step.body)
            case SentMessage(route=route):
                self._sns.publish(TopicArn=self._topics[route], Message=step.body)

    def queue_bodies(self, queue: str = QUEUE) -> list[str]:
        """Return the bodies of all messages in *queue*, visible or not."""
        response = urllib3.request(
            "GET", f"{self.url}/queue-bodies", fields={"queue": queue}, timeout=10
        )
        bodies: list[str] = response.json()
        return bodies
