"""The fields of an event source, each as in the example of docs/setup.md."""

import json
import re
from pathlib import Path

import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError

PAGE = Path(__file__).parents[3].joinpath("docs", "setup.md").read_text()
FORM = re.search(r"```toml\n(\[sources\.prod\].*?)```", PAGE, re.DOTALL)[1]
KEYS = [line for line in FORM.splitlines(keepends=True) if "access_key" in line]
ENVIRONMENT = {"PROD_ACCESS_KEY_ID": "AKIAEXAMPLE"}
READ_BY_A_SERVICE = json.dumps(
    {
        "userIdentity": {"type": "AWSService"},
        "eventSource": "ec2.amazonaws.com",
        "readOnly": True,
        "managementEvent": True,
    }
).encode()


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load the example with some words replaced."""
    monkeypatch.chdir(tmp_path)
    secret, path = tmp_path / "secret", tmp_path / "trailcourier.toml"
    secret.write_text("the-secret-key\n")

    def loaded(instead=(), more=""):
        text = FORM
        for old, new in dict(instead).items():
            assert old in text, old
            text = text.replace(old, new)
        text = text.replace("file:/run/secrets/prod", f"file:{secret}")
        path.write_text(text + more)
        return settings.load(path, ENVIRONMENT)

    return loaded


def refused(load, instead=(), more=""):
    with pytest.raises(ConfigError) as raised:
        load(instead, more)
    return [each.partition("trailcourier.toml: ")[2] for each in raised.value.problems]


def test_an_event_source_is_a_table_and_there_may_be_several(load):
    second = '[sources.dev]\nqueue_url = "https://sqs.eu-west-1.amazonaws.com/111122223333/dev"\n'

    found = load(more=f'{second}sinks = ["archive"]\n')

    assert set(found.sources) == {"prod", "dev"}
    assert found.sources["dev"].queue.region == "eu-west-1"


def test_no_collector_setting_is_needed(load):
    (problem,) = refused(load, {"unfiltered = true": 'collector = "one"'})

    assert problem.startswith("sources.prod.collector: unknown key")


@pytest.mark.parametrize("name", ["cloudtrail", "prod-eu"])
def test_a_source_has_a_free_name_and_no_type(load, name):
    found = load({"[sources.prod": f"[sources.{name}"})

    assert list(found.sources) == [name]
    (problem,) = refused(load, {"unfiltered = true": 'type = "aws-cloudtrail"'})
    assert problem.startswith("sources.prod.type: unknown key")


def test_unfiltered_sends_all_records_and_the_default_drops_reads_by_services(load):
    def dropped(found):
        return found.sources["prod"].compile_filter()([READ_BY_A_SERVICE])

    assert dropped(load()) == [None]
    assert dropped(load({"unfiltered = true": "unfiltered = false"})) == ["aws-service-reads"]
    assert dropped(load({"unfiltered = true\n": ""})) == ["aws-service-reads"]


def test_sqs_is_the_only_collection_method(load):
    queue = 'queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/trailcourier"\n'

    (missing,) = refused(load, {queue: ""})
    (other,) = refused(load, {"unfiltered = true": 'method = "api"'})

    assert load({"unfiltered = true": 'method = "sqs"'})
    assert missing.startswith("sources.prod.queue_url: missing")
    assert other == "sources.prod.method: must be 'sqs'"


def test_an_iam_user_has_a_key_and_a_secret_by_reference(load):
    keys = load().sources["prod"].credentials

    assert (keys.kind, keys.access_key_id.reveal()) == ("iam-user", "AKIAEXAMPLE")
    assert keys.secret_access_key.reveal().strip() == "the-secret-key"
    (problem,) = refused(load, {'"env:PROD_ACCESS_KEY_ID"': '"AKIAINTHEFILE"'})
    assert problem.startswith("sources.prod.credentials.access_key_id: ")
    assert "AKIAINTHEFILE" not in problem


def test_an_instance_profile_needs_no_key(load):
    key, secret = KEYS

    found = load({'"iam-user"': '"instance-profile"', key: "", secret: ""})

    assert found.sources["prod"].credentials.kind == "instance-profile"
    beside = refused(load, {'"iam-user"': '"instance-profile"'})
    assert [each.split(":")[0] for each in beside] == [
        "sources.prod.credentials.access_key_id", "sources.prod.credentials.secret_access_key",
    ]  # fmt: skip


def test_the_queue_region_is_in_its_url_and_the_bucket_region_has_two_names(load):
    found, other = load(), load({"US_EAST_OHIO": "us-east-2"})

    for source in (found.sources["prod"], other.sources["prod"]):
        assert (source.queue.region, source.bucket_region) == ("us-east-1", "us-east-2")
    assert found.sources["prod"].buckets == ("acme-cloudtrail",)  # not a field of that form
