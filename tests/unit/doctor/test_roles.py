"""Doctor asks each bucket as whom the line reads it."""

import pytest

from trailcourier import settings
from trailcourier.doctor.call import Call
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
    call = Call("s3", "head_bucket", "us-east-1", "s3:ListBucket", "*", {"Bucket": bucket})

    assert key(subject._for(call)) == expected
    assert subject.reading(bucket).get_credentials().access_key == expected


def test_the_queue_is_asked_as_the_source(subject):
    call = Call("sqs", "receive_message", "us-east-1", "sqs:ReceiveMessage", "*")

    assert key(subject._for(call)) == "AKIASOURCE"
