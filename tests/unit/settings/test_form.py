"""The form of an event source, field by field: what each is in the example of docs/setup.md."""

import json
import re
from pathlib import Path

import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError
from trailcourier.wiring.lines import _keep

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
    """Load the example, in which some words are replaced by others."""
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


def test_s50_an_event_source_is_a_table_and_there_may_be_several(load):
    second = '[sources.dev]\nqueue_url = "https://sqs.eu-west-1.amazonaws.com/111122223333/dev"\n'

    found = load(more=f'{second}sinks = ["archive"]\n')

    assert set(found.sources) == {"prod", "dev"}
    assert found.sources["dev"].queue.region == "eu-west-1"


def test_s51_no_collector_is_chosen(load):
    (problem,) = refused(load, {"unfiltered = true": 'collector = "one"'})

    assert problem.startswith("sources.prod.collector: unknown key")


@pytest.mark.parametrize("name", ["cloudtrail", "prod-eu"])
def test_s52_the_name_is_ones_own_and_there_is_no_type(load, name):
    found = load({"[sources.prod": f"[sources.{name}"})

    assert list(found.sources) == [name]
    (problem,) = refused(load, {"unfiltered = true": 'type = "aws-cloudtrail"'})
    assert problem.startswith("sources.prod.type: unknown key")


def test_s53_unfiltered_logs_are_sent_where_it_is_said_and_else_reads_by_services_are_not(load):
    def dropped(found):
        return _keep(found.sources["prod"])([READ_BY_A_SERVICE])

    assert dropped(load()) == [None]
    assert dropped(load({"unfiltered = true": "unfiltered = false"})) == ["aws-service-reads"]
    assert dropped(load({"unfiltered = true\n": ""})) == ["aws-service-reads"]


def test_s54_the_queue_is_the_way_and_there_is_no_other(load):
    queue = 'queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/trailcourier"\n'

    (missing,) = refused(load, {queue: ""})
    (other,) = refused(load, {"unfiltered = true": 'method = "api"'})

    assert load({"unfiltered = true": 'method = "sqs"'})
    assert missing.startswith("sources.prod.queue_url: missing")
    assert other == "sources.prod.method: must be 'sqs'"


def test_s55_s55a_a_user_has_a_key_and_a_secret_by_reference(load):
    keys = load().sources["prod"].credentials

    assert (keys.kind, keys.access_key_id.reveal()) == ("iam-user", "AKIAEXAMPLE")
    assert keys.secret_access_key.reveal().strip() == "the-secret-key"
    (problem,) = refused(load, {'"env:PROD_ACCESS_KEY_ID"': '"AKIAINTHEFILE"'})
    assert problem.startswith("sources.prod.credentials.access_key_id: ")
    assert "AKIAINTHEFILE" not in problem


def test_s55_an_instance_profile_needs_no_key(load):
    key, secret = KEYS

    found = load({'"iam-user"': '"instance-profile"', key: "", secret: ""})

    assert found.sources["prod"].credentials.kind == "instance-profile"
    beside = refused(load, {'"iam-user"': '"instance-profile"'})
    assert [each.split(":")[0] for each in beside] == [
        "sources.prod.credentials.access_key_id", "sources.prod.credentials.secret_access_key",
    ]  # fmt: skip


def test_s56_s57_the_queues_region_is_in_its_url_and_the_buckets_goes_by_either_name(load):
    found, other = load(), load({"US_EAST_OHIO": "us-east-2"})

    for source in (found.sources["prod"], other.sources["prod"]):
        assert (source.queue.region, source.bucket_region) == ("us-east-1", "us-east-2")
    assert found.sources["prod"].buckets == ()
