"""``setup apply`` proves that the source works: with doctor, a log file and a test record."""

import json
import random
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import urllib3

from trailcourier import cli, wiring
from trailcourier.cli.exits import Exit
from trailcourier.demo.files import log_file
from trailcourier.provision import first_file

ACCOUNT = "123456789012"
KEY = (
    f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/11/30/"
    f"{ACCOUNT}_CloudTrail_us-east-1_20261130T0000Z_abcdefghijklmnop.json.gz"
)


@pytest.fixture
def apply(moto, tmp_path, monkeypatch, capsys):
    """Return a function that applies a set-up on moto itself, which doctor's calls need."""
    urllib3.request("POST", f"{moto}/moto-api/reset", timeout=60)
    monkeypatch.chdir(tmp_path)
    for variable, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "XDG_STATE_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(variable, value)

    def called(*options):
        capsys.readouterr()
        code = cli.execute(
            ["setup", "apply", "--write", "trailcourier.toml", "--secret-file", "secret", *options]
        )
        return code, *capsys.readouterr()

    yield called
    wiring.forget()


@pytest.fixture
def bucket(apply, site):
    """Put a log file into the bucket that setup creates; return what puts it."""
    ours = site(name="trailcourier")

    def put(body):
        ours.client("s3").put_object(Bucket=ours.layout.bucket, Key=KEY, Body=body)

    return put


def test_a_new_set_up_is_ready_and_its_sink_was_tried(apply):
    code, out, err = apply("--wait", "0")

    assert code == Exit.DONE, out + err
    (ready,) = [line for line in out.splitlines() if line.startswith("ready: ")]
    assert ready.endswith("; a test record was accepted")
    assert "no log file was read yet" in out
    records = [json.loads(line) for path in Path("events").rglob("*.ndjson")
               for line in path.read_text().splitlines()]  # fmt: skip
    assert [each["eventName"] for each in records] == ["TrailcourierSinkTest"]


def test_a_message_that_announces_no_file_does_not_stand_in_the_way(apply):
    code, out, err = apply("--wait", "0", "--delivery", "s3")  # S3 sends the queue a test message

    assert code == Exit.DONE, out + err
    assert any(line.startswith("ready: ") for line in out.splitlines())
    assert "TC702" not in out


def test_live_means_that_a_log_file_was_read_as_the_collector(apply, bucket):
    apply("--wait", "0")
    bucket(log_file(random.Random(7), 0).body)

    code, out, err = apply("--wait", "0")

    assert code == Exit.DONE, out + err
    (live,) = [line for line in out.splitlines() if line.startswith("live: ")]
    assert "a log file was read as the collector" in live
    assert "a test record" not in live  # the source was there already


def test_waiting_ends_with_the_first_log_file(apply, bucket, monkeypatch):
    apply("--wait", "0")
    body = log_file(random.Random(7), 0).body
    # its own: other threads of this process sleep too
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: bucket(body))
    monkeypatch.setattr(first_file, "time", clock)

    code, out, err = apply("--wait", "600")

    assert code == Exit.DONE, out + err
    assert "waiting for the first log file in bucket" in err
    assert "0 of 10 minutes" in err
    assert any(line.startswith("live: ") for line in out.splitlines())


def test_a_sink_that_does_not_work_is_not_live(apply):
    Path("events").write_text("a file where the folder should be")

    code, out, _ = apply("--wait", "0")

    assert code == Exit.NO
    assert any(line.startswith("error TC90") for line in out.splitlines())
    assert any(line.startswith("not live: ") for line in out.splitlines())
