"""The support bundle has what helps, and no secret."""

import io
import json
import stat
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.unit_fleets import well
from trailcourier.operations.scrub import Scrubber
from trailcourier.settings import effective

SECRETS = {
    "SIEM_URL": "http://127.0.0.1:9/webhook/d34db33f-c0de-4a11-b0b0",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCY",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEBYaDK3planted",
    "HTTPS_PROXY": "http://proxy-user:pr0xy%2Fpass@127.0.0.1:9",
    "OTHER_API_TOKEN": "0ther-t0ken-of-this-process",
}
PLANTED = (
    *SECRETS.values(), "d34db33f-c0de-4a11-b0b0", "pr0xy%2Fpass", "pr0xy/pass", "in-a-file-0815",
    "AKIAIOSFODNN7PLANTED", "hunter2", "bearer-of-the-log", "s1gnature",
    quote(SECRETS["AWS_SECRET_ACCESS_KEY"], safe=""),
)  # fmt: skip
LOG = """\
{"event": "started", "host": "a"}
GET https://u:hunter2@siem.example/x?X-Amz-Signature=s1gnature&b=c
Authorization: Bearer bearer-of-the-log
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCY for AKIAIOSFODNN7PLANTED
{"url": "http://127.0.0.1:9/webhook/d34db33f-c0de-4a11-b0b0", "file": "in-a-file-0815"}
"""


@pytest.fixture
def planted(around, monkeypatch, tmp_path, ledger, config):
    """A configuration, an environment, a ledger and a log that are full of secrets."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # services without a stub
    (tmp_path / "secret").write_text("in-a-file-0815\n")
    (tmp_path / "worker.log").write_text(LOG)
    well(ledger)
    ledger.breakers.count_failure(
        "sink:siem", "a", reason="sink-error", limit=1,
        text=f"{SECRETS['SIEM_URL']}: 401 for in-a-file-0815 {SECRETS['AWS_SESSION_TOKEN']}",
    )  # fmt: skip
    more = '[sinks.siem]\ntype = "insightidr"\nway = "webhook"\nurl = "{}"\n[sinks.other]\n'
    more += 'type = "insightidr"\nway = "webhook"\nurl = "{}"\n'
    file = f"file:{tmp_path}/secret"
    (tmp_path / "secret").write_text("http://127.0.0.1:9/in-a-file-0815\n")
    return config.replace('["archive"]', '["archive", "siem"]') + more.format("env:SIEM_URL", file)


def files(path):
    with tarfile.open(path) as archive:
        return {
            Path(each.name).name: archive.extractfile(each).read().decode()
            for each in archive.getmembers()
        }


def test_no_secret_is_in_the_bundle(call, planted, client):
    password = client.connection_pool.connection_kwargs["password"]

    result = call(
        "support-bundle", "--yes", "--output", "b.tar.gz", "--log", "worker.log",
        configuration=planted,
    )  # fmt: skip

    found = files("b.tar.gz")
    everything = "\n".join([*found.values(), result.out, result.err])
    assert result.code == 0
    assert [each for each in (*PLANTED, password) if each in everything] == []
    assert list(found) == ["versions.json", "config.toml", "status.json", "doctor.json", "log.txt"]
    assert stat.S_IMODE(Path("b.tar.gz").stat().st_mode) == 0o600


def test_the_bundle_has_what_helps(call, planted):
    call("support-bundle", "--yes", "--output", "b.tar.gz", "--log", "worker.log",
         configuration=planted)  # fmt: skip

    found = files("b.tar.gz")
    assert 'url = "env:SIEM_URL"' in found["config.toml"]
    assert '"trailcourier"' in found["versions.json"]
    status, doctor = json.loads(found["status.json"]), json.loads(found["doctor.json"])
    assert [each["source"] for each in status["sources"]] == ["prod", "dev"]
    assert "401 for" in status["sources"][0]["waits_for"][0]
    assert doctor["findings"]
    assert found["log.txt"].splitlines()[0] == '{"event": "started", "host": "a"}'
    assert "siem.example" in found["log.txt"]


def test_its_files_are_listed_before_and_nothing_is_written_without_a_yes(
    call, planted, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    result = call("support-bundle", "--output", "b.tar.gz", configuration=planted)

    lines = result.out.splitlines()
    assert result.code == 1
    assert lines[0] == "b.tar.gz will contain:"
    assert [line.split()[0] for line in lines[1:5]] == [
        "versions.json", "config.toml", "status.json", "doctor.json",
    ]  # fmt: skip
    assert not Path("b.tar.gz").exists()
    assert lines[-1].endswith("Nothing was written. Use --yes to write it without confirmation.")


def test_a_wrong_configuration_gives_a_bundle_with_its_problems(call, planted):
    result = call("support-bundle", "--yes", "--output", "b.tar.gz", configuration="[brokr]\n")

    found = files("b.tar.gz")
    assert result.code == 0
    assert list(found) == ["versions.json", "config.toml"]
    assert "brokr" in found["config.toml"]


def test_a_broker_that_does_not_answer_is_told_in_the_status(call, config, monkeypatch):
    monkeypatch.setenv("BROKER", "redis://:hunter2@127.0.0.1:1/0")

    result = call("support-bundle", "--yes", "--output", "b.tar.gz")

    found = files("b.tar.gz")
    assert result.code == 0
    assert found["status.json"].startswith("broker 127.0.0.1:1/0: no connection")
    assert "hunter2" not in "".join(found.values())


def test_a_file_that_exists_is_not_overwritten(call, planted):
    Path("b.tar.gz").write_text("mine")

    result = call("support-bundle", "--yes", "--output", "b.tar.gz", configuration=planted)

    assert (result.code, Path("b.tar.gz").read_text()) == (64, "mine")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("redis://:pass@h:1/0", "redis://***@h:1/0"),
        ("password=abc&x=1", "password=***&x=1"),
        ('"token": "abc", "b": 1', '"token": "***", "b": 1'),
        ("s3://bucket/key at 10:30", "s3://bucket/key at 10:30"),
        ("eyJhbGciOiJI.eyJzdWIi.c2ln", "***"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_a_log(text, clean):
    assert Scrubber([]).scrub_foreign(text) == clean


def test_short_values_and_paths_of_files_are_no_secrets_of_the_environment():
    env = {"SOME_KEY": "true", "AWS_TOKEN_FILE": "/var/run/token", "MY_SECRET": "12345678"}

    assert list(effective.environment_secrets(env)) == ["12345678"]
