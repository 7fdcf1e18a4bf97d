"""``trailcourier tap``: the newest log files of a source, and their records, untouched."""

import json

import pytest

from tests.integration.line.conftest import BUCKET, key, log_file, records
from trailcourier.cli import tap
from trailcourier.doctor import subject
from trailcourier.operations.tapping import redact

READ = {
    "eventName": "DescribeInstances",
    "eventSource": "ec2.amazonaws.com",
    "userIdentity": {"type": "AWSService"},
    "readOnly": True,
    "managementEvent": True,
}
WRITE = {
    "eventID": "w-1",
    "eventName": "RunInstances",
    "eventSource": "ec2.amazonaws.com",
    "sourceIPAddress": "198.51.100.7",
    "userIdentity": {"arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333"},
    "requestParameters": {"names": ["host-a", "b"], "dryRun": False, "count": 3},
    "resources": None,
}


@pytest.fixture
def config(config):
    """The stub of S3 lists no folders, so that the files are found by the globs of `keys`."""
    return config.replace('sinks = ["archive"]', 'sinks = ["archive"]\nkeys = ["AWSLogs/*"]', 1)


@pytest.fixture
def away(monkeypatch, call):
    """Every service but S3 and SQS refuses connections; nothing runs into a time limit."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(subject, "CALL", 600)
    monkeypatch.setattr(tap, "PATIENCE", 600)


@pytest.fixture
def tapped(call, away, sqs, client, ledger):
    """Call `tap`; nothing may be received, and nothing written to the broker."""

    def checked(*options, configuration=""):
        before = client.keys("*")
        result = call("tap", *options, configuration=configuration)
        assert client.keys("*") == before
        assert {each.action for each in sqs.log()} <= {"GetQueueAttributes"}
        return result

    return checked


def test_the_files_are_listed_with_what_the_filter_passes(tapped, s3, config):
    s3.put(BUCKET, key(1), log_file([READ, WRITE, READ]))

    result = tapped("prod", configuration=config.replace("unfiltered = true\n", "", 1))

    head, row = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert head.split() == ["modified", "size", "records", "pass", "object"]
    assert row.split()[4:] == ["3", "1", f"s3://{BUCKET}/{key(1)}"]


def test_the_limit_is_of_files_or_of_records(tapped, s3):
    for at in range(4):
        s3.put(BUCKET, key(at), log_file(records(at)))

    files = json.loads(tapped("prod", "--limit", "3", "--json").out)["objects"]
    lines = tapped("prod", "--records", "--limit", "7").out.splitlines()

    assert len(files) == 3
    assert [json.loads(line)["eventName"] for line in lines] == ["PutObject"] * 7


def test_records_are_printed_as_they_are(tapped, s3):
    s3.put(BUCKET, key(1), log_file([WRITE]))

    assert tapped("prod", "--records").out == json.dumps(WRITE, separators=(",", ":")) + "\n"


def test_redacted_records_keep_what_happened_alone(tapped, s3):
    s3.put(BUCKET, key(1), log_file([WRITE]))

    (line,) = tapped("prod", "--records", "--redact").out.splitlines()

    assert json.loads(line) == {
        "eventID": "w-1",
        "eventName": "RunInstances",
        "eventSource": "ec2.amazonaws.com",
        "sourceIPAddress": "***",
        "userIdentity": {"arn": "***", "accountId": "***"},
        "requestParameters": {"names": ["***", "***"], "dryRun": False, "count": "***"},
        "resources": None,
    }


def test_a_key_that_is_kept_is_masked_where_it_holds_more_than_a_text():
    assert json.loads(redact(b'{"eventName": {"a": "secret"}}')) == {"eventName": {"a": "***"}}


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_shown(tapped, s3):
    s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    s3.put(BUCKET, key(2), log_file(records(2)))

    files, lines = tapped("prod"), tapped("prod", "--records")

    assert (files.code, lines.code) == (1, 1)
    assert f"s3://{BUCKET}/{key(1)}: corrupt: " in files.out
    assert len(lines.out.splitlines()) == 3
    assert lines.err.startswith(f"trailcourier: s3://{BUCKET}/{key(1)}: corrupt: ")


def test_no_file_is_the_answer_no(tapped, s3):
    s3.put(BUCKET, "other/file", b"no log file")

    assert tapped("prod") == (1, "There is no recent log file in the buckets of the source.\n", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--redact"], "--redact needs --records"),
        (["--records", "--json"], "--records prints JSON already"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(tapped, options, words):
    result = tapped("prod", *options)

    assert (result.code, words in result.err) == (64, True)
