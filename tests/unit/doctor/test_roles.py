"""Doctor asks each bucket as whom the line reads it."""

import pytest

from tests.support.aws_front import Role
from tests.support.issuers import Imds, Keys
from trailcourier import settings
from trailcourier.aws.calls import AwsCall
from trailcourier.doctor.subject import Shared, Subject

CONFIG = """
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
sinks = ["console"]
[sources.prod.credentials]
kind = "iam-user"
access_key_id = "env:ID"
secret_access_key = "env:KEY"
[sources.prod.bucket_credentials."acme-eu-*"]
kind = "iam-user"
access_key_id = "env:EU_ID"
secret_access_key = "env:KEY"
[sinks.console]
type = "stdout"
"""


@pytest.fixture
def subject(tmp_path, monkeypatch):
    for name, value in {"ID": "AKIASOURCE", "EU_ID": "AKIAEU", "KEY": "example"}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "trailcourier.toml"
    path.write_text(CONFIG)
    return Subject("prod", Shared(settings.load(path)))


def key(client):
    return client._get_credentials().access_key


@pytest.mark.parametrize(
    ("bucket", "expected"), [("acme-eu-logs", "AKIAEU"), ("others", "AKIASOURCE")]
)
def test_a_bucket_is_asked_as_whom_it_is_read(subject, bucket, expected):
    call = AwsCall("s3", "HeadBucket", "us-east-1", "*", {"Bucket": bucket})

    assert key(subject._client_for(call)) == expected
    assert subject.session_for(bucket).get_credentials().access_key == expected


def test_the_queue_is_asked_as_the_source(subject):
    call = AwsCall("sqs", "ReceiveMessage", "us-east-1", "*")

    assert key(subject._client_for(call)) == "AKIASOURCE"


LOGS = "arn:aws:iam::999988887777:role/logs"
AS_LOGS = f"""
[sources.prod.bucket_credentials."*"]
kind = "assume-role"
role_arn = "{LOGS}"
"""


def test_a_buckets_role_that_cannot_be_assumed_is_reported_and_the_queue_is_ok(doctor, account):
    account.front.roles[LOGS] = Role("an-external-id")

    report = doctor(more=AS_LOGS)

    assert report.errors == ["TC206"]
    found = report.one("TC206")
    assert found.text.startswith(f"the role {LOGS} cannot be assumed: ")
    assert f'"Action": "sts:AssumeRole", "Resource": "{LOGS}"' in found.fix
    assert "is not configured here" in found.fix
    assert report.one("TC201").level == "ok"


def test_a_buckets_role_is_taken_to_read_it(doctor, account):
    account.front.roles[LOGS] = Role()

    report = doctor(more=AS_LOGS)

    assert report.errors == []
    read = {asked.key for asked in account.front.asked("s3:*")}
    received = {asked.key for asked in account.front.asked("sqs:*")}
    assert read.isdisjoint(received)


def test_an_instance_that_gives_a_bucket_no_keys_is_reported_with_its_hop_limit(
    doctor, monkeypatch
):
    monkeypatch.setattr("trailcourier.aws.metadata.TIMEOUT", 0.5)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    imds = Imds(Keys(), "collector", far=True)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url)

    with imds.server:
        report = doctor(more='[sources.prod.bucket_credentials."*"]\nkind = "instance-profile"\n')

    assert report.errors == ["TC202"]
    assert "--http-put-response-hop-limit 2" in report.one("TC202").fix
    assert report.one("TC201").level == "ok"


def test_a_buckets_keys_that_are_not_there_are_missing(doctor, monkeypatch, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("example")
    more = f"""
[sources.prod.bucket_credentials."*"]
kind = "iam-user"
access_key_id = "file:{secret}"
secret_access_key = "file:{secret}"
"""
    load = settings.load

    def gone_since(*arguments):
        found = load(*arguments)
        secret.unlink()
        return found

    monkeypatch.setattr(settings, "load", gone_since)

    report = doctor(more=more)

    assert report.errors == ["TC202"]
    assert "cannot read" in report.one("TC202").text
