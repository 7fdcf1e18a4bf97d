import json
import os
from pathlib import Path

import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError

WHOLE = """
[broker]
url = "env:TRAILCOURIER_REDIS"
namespace = "audit"

[workers]
threads = 4

[line.expert]
poll = 9

[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
bucket_region = "US_STANDARD"
buckets = ["acme-cloudtrail"]
sinks = ["siem", "archive"]

[sources.prod.credentials]
kind = "assume-role"
role_arn = "arn:aws:iam::111122223333:role/trailcourier"
external_id = "env:TRAILCOURIER_EXTERNAL_ID"

[sinks.siem]
type = "stdout"

[sinks.archive]
type = "file"
path = "events"
"""
SMALL = """
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
buckets = ["acme-cloudtrail"]
sinks = ["out"]
[sinks.out]
type = "stdout"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def small(here):
    (here / "trailcourier.toml").write_text(SMALL)
    return here


def test_a_complete_file_is_read(here, monkeypatch):
    (here / "trailcourier.toml").write_text(WHOLE)
    monkeypatch.setenv("TRAILCOURIER_REDIS", "rediss://:hunter2@redis.example.com:6380/1")
    monkeypatch.setenv("TRAILCOURIER_EXTERNAL_ID", "hunter3")

    found = settings.load()

    source = found.sources["prod"]
    assert found.broker_url() == "rediss://:hunter2@redis.example.com:6380/1"
    assert (found.broker.namespace, found.workers.threads, found.numbers.poll) == ("audit", 4, 9)
    assert (source.queue.region, source.queue.account) == ("us-east-1", "111122223333")
    assert (source.bucket_region, source.sinks) == ("us-east-1", ("siem", "archive"))
    assert source.credentials.external_id.reveal() == "hunter3"
    assert found.sinks["archive"].path == Path("events")
    assert found.path == Path("trailcourier.toml")


def test_missing_keys_have_their_defaults(small):
    found = settings.load()

    assert found.broker.url is None
    assert found.broker.visibility_timeout == 300
    assert found.workers.processes == os.cpu_count()
    assert found.workers.state_dir == Path.home() / ".local/state/trailcourier"
    assert found.sources["prod"].credentials.kind == "default"
    assert found.sources["prod"].unknown_key == "refuse"
    assert found.fail_point == ""


def test_settings_show_no_secret(here, monkeypatch):
    (here / "trailcourier.toml").write_text(WHOLE)
    monkeypatch.setenv("TRAILCOURIER_REDIS", "redis://:hunter2@h")
    monkeypatch.setenv("TRAILCOURIER_EXTERNAL_ID", "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.example.com:1")

    found = settings.load()

    assert "hunter2" not in repr(found) + str(found)
    assert "hunter2" not in found.model_dump_json(exclude={"network"})


def test_settings_are_frozen(small):
    with pytest.raises(ValueError, match="frozen"):
        settings.load().sources["prod"].unfiltered = True


def test_a_file_given_by_the_caller_comes_first(small, monkeypatch):
    monkeypatch.setenv("TRAILCOURIER_CONFIG", "other.toml")
    (small / "named.toml").write_text(SMALL.replace("sources.prod", "sources.named"))

    assert list(settings.load(Path("named.toml")).sources) == ["named"]


def test_a_file_given_by_the_environment_comes_next(small, monkeypatch):
    (small / "other.toml").write_text(SMALL.replace("sources.prod", "sources.other"))
    monkeypatch.setenv("TRAILCOURIER_CONFIG", "other.toml")

    assert settings.find() == Path("other.toml")
    assert list(settings.load().sources) == ["other"]


def test_a_file_in_the_working_directory_comes_before_the_hosts(here, monkeypatch):
    machine = here / "etc.toml"
    machine.write_text(SMALL)
    monkeypatch.setattr(settings, "PLACES", (Path("trailcourier.toml"), machine))

    before = settings.find()
    (here / "trailcourier.toml").write_text(SMALL)

    assert (before, settings.find()) == (machine, Path("trailcourier.toml"))


def test_without_a_file_the_problem_lists_the_places(here):
    assert settings.find() is None
    with pytest.raises(ConfigError) as caught:
        settings.load()

    (problem,) = caught.value.problems
    assert all(
        place in problem
        for place in (
            "TRAILCOURIER_CONFIG",
            "./trailcourier.toml",
            "/etc/trailcourier/",
            "--config",
        )
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"[sources", "is not TOML: ", id="syntax"),
        pytest.param(b"a = 1\na = 2", "is not TOML: ", id="key-twice"),
        pytest.param(b"a = \xff", "is not UTF-8 text (byte 4)", id="encoding"),
        pytest.param(b"a = " + b"9" * 5000, "is not TOML: ", id="endless-number"),
        pytest.param(b"a = " + b"[" * 100_000, "is not TOML: ", id="endless-depth"),
    ],
)
def test_a_file_that_is_not_toml_is_one_problem(here, content, problem):
    (here / "trailcourier.toml").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        settings.load()

    (line,) = caught.value.problems
    assert line.startswith(f"trailcourier.toml: {problem}")


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_an_unreadable_file_is_named(here, name):
    with pytest.raises(ConfigError, match=rf"^{name}: cannot be read: \w"):
        settings.load(Path(name))


def test_without_a_broker_the_problem_says_what_to_do(small):
    with pytest.raises(ConfigError, match=r"^trailcourier.toml: broker.url: not set; set the URL"):
        settings.load().broker_url()


def test_a_broker_url_without_password_may_be_in_the_file(small):
    (small / "trailcourier.toml").write_text('[broker]\nurl = "redis://h:6379/0"' + SMALL)

    assert settings.load().broker_url() == "redis://h:6379/0"


def test_the_state_directory_follows_systemd_and_xdg(small, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/home/state")
    desktop = settings.load().workers.state_dir
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/trailcourier:/var/lib/other")
    service = settings.load().workers.state_dir
    monkeypatch.setenv("TRAILCOURIER_WORKERS__STATE_DIR", "/data")

    assert (desktop, service, settings.load().workers.state_dir) == (
        Path("/home/state/trailcourier"),
        Path("/var/lib/trailcourier/state"),
        Path("/data"),
    )


def test_a_process_with_some_tables_needs_no_secret_of_the_others(here, monkeypatch):
    (here / "trailcourier.toml").write_text(WHOLE)
    monkeypatch.setenv("TRAILCOURIER_REDIS", "redis://:password@127.0.0.1:6379/0")

    found = settings.load(tables=("broker", "workers"))

    assert (found.broker.namespace, found.workers.threads) == ("audit", 4)
    assert (found.sources, found.sinks) == ({}, {})
    with pytest.raises(ConfigError, match="TRAILCOURIER_EXTERNAL_ID"):
        settings.load()


def test_a_process_with_some_tables_still_reports_an_unknown_table(here):
    (here / "trailcourier.toml").write_text("[brokers]\n")

    with pytest.raises(ConfigError, match="brokers: unknown key; did you mean broker"):
        settings.load(tables=("broker",))


def test_the_logins_of_flower_are_read_by_flower_alone(small, monkeypatch):
    monkeypatch.setenv("TRAILCOURIER_FLOWER__CREDENTIALS", "file:/not/on/this/host")

    assert settings.load().flower.credentials == "file:/not/on/this/host"


def test_a_login_of_flower_must_not_be_in_the_file(here):
    (here / "trailcourier.toml").write_text(f'{SMALL}[flower]\ncredentials = "me:hunter2"\n')

    with pytest.raises(ConfigError, match="expected a reference to a secret") as caught:
        settings.load()

    assert "hunter2" not in str(caught.value.problems)


def test_probably_unintended_settings_are_warnings(here):
    text = SMALL.replace('buckets = ["acme-cloudtrail"]\n', "")
    (here / "trailcourier.toml").write_text(text + '[sinks.idle]\ntype = "stdout"\n')

    buckets, sink = settings.load().warnings()

    assert buckets.startswith("trailcourier.toml: sources.prod.buckets: not set, so a message may")
    assert sink == "trailcourier.toml: sinks.idle: no source uses it"


@pytest.mark.parametrize("glob", ["acme-cloudtrail*", "acme-?", "acme-[ab]", "*"])
def test_a_glob_that_matches_foreign_buckets_is_a_warning(here, glob):
    text = SMALL.replace('["acme-cloudtrail"]', json.dumps([glob, "acme-exactly"]))
    (here / "trailcourier.toml").write_text(text)

    (warning,) = settings.load().warnings()

    assert warning == (
        f"trailcourier.toml: sources.prod.buckets: {json.dumps(glob)} also matches buckets that "
        "other accounts may create: list the names of your buckets, or set expected_bucket_owner"
    )


def test_a_glob_with_expected_bucket_owner_is_no_warning(here):
    text = SMALL.replace(
        'buckets = ["acme-cloudtrail"]',
        'buckets = ["acme-cloudtrail*"]\nexpected_bucket_owner = "111122223333"',
    )
    (here / "trailcourier.toml").write_text(text)

    assert settings.load().warnings() == []


def test_a_complete_configuration_has_no_warning(small):
    assert settings.load().warnings() == []


OWN = """
[sources.prod.bucket_credentials."acme-eu-*"]
kind = "assume-role"
role_arn = "arn:aws:iam::444455556666:role/eu"
external_id = "env:TRAILCOURIER_EXTERNAL_ID"

[sources.prod.bucket_credentials."acme-*"]
kind = "instance-profile"
"""


def test_buckets_may_have_their_own_credentials_and_the_first_glob_counts(small, monkeypatch):
    monkeypatch.setenv("TRAILCOURIER_EXTERNAL_ID", "hunter3")
    (small / "trailcourier.toml").write_text(SMALL + OWN)

    source = settings.load().sources["prod"]

    assert source.own_credentials("acme-eu-logs") == "acme-eu-*"
    assert source.own_credentials("acme-us-logs") == "acme-*"
    assert source.own_credentials("others") == ""
    assert source.bucket_credentials["acme-eu-*"].external_id.reveal() == "hunter3"
    assert source.credentials.kind == "default"
