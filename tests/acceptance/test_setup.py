"""From an empty account to delivered records: docs/getting-started.md, on an emulated AWS."""

import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import urllib3
from moto.server import ThreadedMotoServer

from tests.support.aws_answers import session
from trailcourier.aws import clients
from trailcourier.aws.network import Network
from trailcourier.demo import notification_bodies
from trailcourier.demo.files import log_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
ACCOUNT = "123456789012"


@pytest.fixture
def emulated():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    urllib3.request(
        "POST", f"{url}/moto-api/reset", timeout=10
    )  # all servers of a process share one state
    yield url
    server.stop()


def call(folder, url, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "trailcourier", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "XDG_STATE_HOME": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def delivered(folder):
    lines = [line for path in folder.rglob("*.ndjson") for line in path.read_text().splitlines()]
    found = (json.loads(line) for line in lines)
    # setup sent the sink a test record
    return {
        each["eventID"] for each in found if each.get("eventSource") != "sink-test.trailcourier"
    }


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param((), id="sns"),
        pytest.param(("--raw",), id="raw"),
        pytest.param(("--delivery", "s3"), id="s3"),
    ],
)
def test_two_commands_deliver_records_from_an_empty_account(emulated, tmp_path, choices):
    made = call(
        tmp_path, emulated, "setup", "apply", "--wait", "0",
        "--write", "trailcourier.toml", "--secret-file", "secret", *choices,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr + made.stdout
    wanted = announced(emulated, by_s3="s3" in choices)
    diagnosed = call(tmp_path, emulated, "doctor", "--json")

    ran = call(tmp_path, emulated, "run", "--drain", "--json")

    findings = json.loads(diagnosed.stdout)["findings"]
    assert [each for each in findings if each["level"] in {"error", "warning"}] == []
    assert ran.returncode == 0, ran.stderr
    (source,) = json.loads(ran.stdout)["sources"]
    assert source["objects"]["delivered"] == 1
    assert delivered(tmp_path / "events") == wanted


def announced(url, *, by_s3):
    """Write a log file as CloudTrail does, and publish a notification unless S3 sends one.

    Returns the event ids that have to be delivered.
    """
    made = log_file(random.Random(7), 0)
    network = Network(endpoint_url=url)
    s3, sns = (
        clients.make_client(session(), each, "us-east-1", network=network) for each in ("s3", "sns")
    )
    bucket = f"trailcourier-{ACCOUNT}-us-east-1"
    day = datetime.now(UTC)
    key = (
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{day:%Y/%m/%d}/"
        f"{ACCOUNT}_CloudTrail_us-east-1_{day:%Y%m%dT%H%MZ}_abcdefghijklmnop.json.gz"
    )
    put = s3.put_object(Bucket=bucket, Key=key, Body=made.body)
    if not by_s3:
        topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:trailcourier"
        announced_object = notification_bodies.S3Object(
            bucket, key, len(made.body), put["ETag"].strip('"')
        )
        sns.publish(TopicArn=topic, Message=notification_bodies.VALIDATION)
        sns.publish(TopicArn=topic, Message=notification_bodies.cloudtrail([announced_object]))
    return {each.id for each in made.records if not each.filtered}
