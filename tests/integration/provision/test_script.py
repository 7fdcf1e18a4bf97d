"""The exported script, run by a shell and the AWS CLI against moto."""

import json
import os
import subprocess
import sys

import pytest

from tests.support import programs
from tests.support.http_stub import Reply
from trailcourier.provision import AccountFacts, plan
from trailcourier.provision.export import FORMATS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# not every AWS CLI uses AWS_ENDPOINT_URL for SQS
TO_MOTO = '#!/bin/sh\nexec "$AWS_CLI" --endpoint-url "$MOTO" "$@"\n'
THEIRS = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
KEPT = {"Id": "theirs", "Events": ["s3:ObjectRemoved:*"]}
LOOKS = {
    "s3:GetBucketPolicy": "s3:PutBucketPolicy",
    "s3:GetBucketNotificationConfiguration": "s3:PutBucketNotificationConfiguration",
    "sns:GetTopicAttributes": "sns:SetTopicAttributes",
    "kms:GetKeyPolicy": "kms:PutKeyPolicy",
    "sqs:GetQueueAttributes": "sqs:SetQueueAttributes",
}
THROTTLED = Reply(
    503,
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    (("Content-Type", "application/xml"),),
)


@pytest.fixture
def run(gate, tmp_path):
    """Return a function that runs the script of a set-up, with the AWS CLI *cli*."""
    found = programs.found("aws", "awscli")

    def ran(site, cli=found):
        text = FORMATS["cli"](site.layout, plan(site.request, AccountFacts(site.layout.account)))
        (folder := tmp_path / "bin").mkdir(exist_ok=True)
        (folder / "aws").write_text(TO_MOTO)
        (folder / "aws").chmod(0o755)
        return subprocess.run(
            ["sh", "-s"],
            input=text,
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{folder}:{os.environ['PATH']}",
                "AWS_CLI": str(cli),
                "AWS_MAX_ATTEMPTS": "1",
                "MOTO": gate.url,
                "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "example",
            },
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    return ran


@pytest.fixture
def shared(site):
    """Return a function that makes five documents of somebody else, and the set-up for them."""

    def made(delivery):
        sqs, sns, s3, kms = (site().client(each) for each in ("sqs", "sns", "s3", "kms"))
        key = kms.create_key(Policy=POLICY)["KeyMetadata"]["Arn"]
        ours = site(delivery=delivery, existing_bucket=True, kms_key=key, reader="none",
                    bucket=f"shared-{key[-12:]}")  # fmt: skip
        other = sqs.create_queue(QueueName=f"other-{ours.name}")["QueueUrl"].rpartition("/")[2]
        sqs.create_queue(QueueName=ours.name, Attributes={"Policy": POLICY})
        topic = sns.create_topic(Name=ours.name)["TopicArn"]
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=POLICY)
        s3.create_bucket(Bucket=ours.layout.bucket)
        s3.put_bucket_policy(Bucket=ours.layout.bucket, Policy=POLICY)
        queue = {**KEPT, "QueueArn": f"arn:aws:sqs:us-east-1:123456789012:{other}"}
        s3.put_bucket_notification_configuration(
            Bucket=ours.layout.bucket, NotificationConfiguration={"QueueConfigurations": [queue]}
        )
        return ours

    return made


def read_documents(ours):
    """Return the statements of the four policies, and the bucket's queue configurations."""
    sqs, sns, s3, kms = (ours.client(each) for each in ("sqs", "sns", "s3", "kms"))
    bucket, topic = ours.layout.bucket, f"arn:aws:sns:us-east-1:123456789012:{ours.name}"
    url = sqs.get_queue_url(QueueName=ours.name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    policies = {
        "bucket": s3.get_bucket_policy(Bucket=bucket)["Policy"],
        "topic": sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"],
        "key": kms.get_key_policy(KeyId=ours.request.kms_key, PolicyName="default")["Policy"],
        "queue": attributes["Policy"],
    }
    notified = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    return {name: json.loads(text)["Statement"] for name, text in policies.items()}, notified


def test_the_script_creates_what_apply_creates_and_may_be_run_again(run, site, gate, tmp_path):
    ours = site()

    first = run(ours)
    gate.calls.clear()
    second = run(ours)

    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert set(gate.changes) <= {"cloudtrail:UpdateTrail"}  # leaves out its own deliveries
    assert {name: each.state for name, each in ours.apply().items()} == {
        step.id: "unchanged" for step in ours.steps
    }
    (file,) = tmp_path.glob("*-access-key.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(file.read_text())["AccessKey"]["SecretAccessKey"]) >= 40


@pytest.mark.parametrize("delivery", ["sns", "s3"])
def test_the_script_adds_to_documents_of_others_and_keeps_what_they_hold(run, shared, delivery):
    ours = shared(delivery)

    ended = run(ours)

    assert ended.returncode == 0, ended.stderr
    policies, notified = read_documents(ours)
    changed = {"sns": {"bucket", "topic", "key", "queue"}, "s3": {"bucket", "key", "queue"}}
    for name, statements in policies.items():
        assert statements[0] == THEIRS, name
        assert (len(statements) > 1) == (name in changed[delivery]), name
    assert [each["Id"] for each in notified] == ["theirs", *([ours.name] * (delivery == "s3"))]
    assert "updating: statement" in ended.stdout
    assert "skipped: setup did not create it; VisibilityTimeout is" in ended.stdout
    assert {each.state for each in ours.apply().values()} <= {"unchanged", "skipped"}


@pytest.mark.parametrize("look", LOOKS)
def test_the_script_stops_where_it_may_not_look(run, shared, gate, look):
    ours = shared("s3" if "Notification" in look else "sns")
    before = read_documents(ours)
    gate.denied.add(look)
    gate.calls.clear()

    ended = run(ours)

    assert ended.returncode == 1
    assert LOOKS[look] not in gate.calls
    action = look.removesuffix("Configuration")
    assert f"STOPPED: cannot look at what exists ({action} on " in ended.stderr
    assert "AccessDenied" in ended.stderr or "AuthorizationError" in ended.stderr
    gate.denied.clear()
    assert all(statements[0] == THEIRS for statements in read_documents(ours)[0].values())
    assert read_documents(ours)[1] == before[1]


def test_the_script_stops_where_a_look_is_throttled(run, shared, gate):
    ours = shared("sns")
    gate.answers["s3:GetBucketPolicy"] = THROTTLED

    ended = run(ours)

    assert ended.returncode == 1
    assert "SlowDown" in ended.stderr
    assert "STOPPED: cannot look at what exists (s3:GetBucketPolicy on " in ended.stderr
    gate.answers.clear()
    assert read_documents(ours)[0]["bucket"] == [THEIRS]


def test_the_script_changes_no_setting_of_what_setup_did_not_create(run, site, gate):
    ours = site(reader="none")
    s3, trails = ours.client("s3"), ours.client("cloudtrail")
    s3.create_bucket(Bucket="their-logs")
    s3.create_bucket(Bucket=ours.layout.bucket)
    trails.create_trail(Name=ours.name, S3BucketName="their-logs")
    ours.client("sqs").create_queue(QueueName=ours.name, Attributes={"VisibilityTimeout": "30"})
    gate.calls.clear()

    ended = run(ours)

    assert ended.returncode == 0, ended.stderr
    forbidden = {"s3:PutBucketTagging", "s3:PutPublicAccessBlock", "cloudtrail:UpdateTrail",
                 "cloudtrail:StartLogging", "cloudtrail:PutEventSelectors"}  # fmt: skip
    assert not forbidden & set(gate.changes)
    assert gate.changes.count("sqs:SetQueueAttributes") == 1  # its policy
    assert trails.get_trail(Name=ours.name)["Trail"]["S3BucketName"] == "their-logs"
    assert "skipped: setup did not create the bucket" in ended.stdout
    assert "skipped: setup did not create it; S3BucketName is" in ended.stdout


@pytest.mark.parametrize("version", ["1.32.117", "1.46.3"])
def test_the_script_runs_on_old_and_new_aws_clis(run, site, tmp_path, version):
    ours = site(region="eu-west-1", reader="none")

    ended = run(ours, install_aws_cli(tmp_path / "cli", version))

    assert ended.returncode == 0, ended.stderr
    assert {each.state for each in ours.apply().values()} == {"unchanged"}


def install_aws_cli(folder, version):
    """Return the path of the AWS CLI of that *version*; skip the test if pip cannot install it."""
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", f"awscli=={version}"],
    ):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode:
            pytest.skip(f"AWS CLI {version} cannot be installed: {ended.stderr[-200:]}")
    return folder / "bin" / "aws"
