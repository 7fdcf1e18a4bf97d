import tomllib

import msgspec
import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError
from trailcourier.provision import Layout, Request, configuration
from trailcourier.provision.configuration import Credential, Held

KEYS = Credential("env:PROD_ID", "env:PROD_SECRET")
SINKS = '[sinks.siem]\ntype = "stdout"\n'


def layout(**choices):
    return Layout(Request(account="111122223333", **choices))


def written(tmp_path, ours, credential=KEYS, **more):
    """The settings that come of the tables."""
    path = tmp_path / "trailcourier.toml"
    url = configuration.queue_url(ours)
    tables = configuration.text(ours, url, credential=credential)
    configuration.write(path, Held(), tables)
    return settings.load(path, {"PROD_ID": "AKIA", "PROD_SECRET": "s", "XID": "x", **more})


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "sqs.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "sqs.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sqs.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "sqs.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_s01_s57_the_queue_has_the_url_of_its_partition(tmp_path, region, host):
    found = written(tmp_path, layout(region=region))

    source = found.sources["prod"]
    assert source.queue_url == f"https://{host}/111122223333/trailcourier"
    assert source.queue.region == region


@pytest.mark.parametrize(
    ("choices", "credential", "kind"),
    [
        pytest.param({}, KEYS, "iam-user", id="user"),
        pytest.param({"reader": "instance-profile"}, KEYS, "instance-profile", id="instance"),
        pytest.param({"reader": "pod-identity"}, KEYS, "default", id="pod"),
        pytest.param({"reader": "none"}, KEYS, "default", id="none"),
        pytest.param(
            {"reader": "cross-account", "principal": "arn:aws:iam::444455556666:root"},
            Credential(external_id="env:XID"),
            "assume-role",
            id="cross-account",
        ),
    ],
)
def test_s55_the_credential_is_of_the_readers_kind(tmp_path, choices, credential, kind):
    found = written(tmp_path, layout(**choices), credential)

    assert found.sources["prod"].credentials.kind == kind
    assert found.warnings() == []


@pytest.mark.parametrize(
    ("choices", "key"),
    [
        pytest.param({}, "AKIA", id="user"),
        pytest.param({"reader": "pod-identity"}, None, id="pod"),
        pytest.param(
            {"reader": "cross-account", "principal": "arn:aws:iam::444455556666:root"},
            None,
            id="cross-account",
        ),
    ],
)
def test_the_bucket_is_read_as_the_role_of_its_account(tmp_path, choices, key):
    role = "arn:aws:iam::444455556666:role/logs"
    ours = layout(
        bucket="their.logs", existing_bucket=True, bucket_account="444455556666",
        bucket_region="eu-west-1", bucket_role=role, **choices,
    )  # fmt: skip

    found = written(tmp_path, ours, msgspec.structs.replace(KEYS, external_id="env:XID"))

    source = found.sources["prod"]
    held = source.bucket_credentials[source.own_credentials("their.logs")]
    assert (held.kind, held.role_arn, held.external_id.reveal()) == ("assume-role", role, "x")
    assert (held.access_key_id.reveal() if held.access_key_id else None) == key
    assert source.credentials.role_arn != role
    assert found.warnings() == []


def test_s56_the_buckets_region_and_owner_are_said(tmp_path):
    ours = layout(
        bucket="their-logs",
        existing_bucket=True,
        bucket_account="444455556666",
        bucket_region="eu-west-1",
        source="other",
    )

    source = written(tmp_path, ours).sources["other"]

    assert (source.bucket_region, source.expected_bucket_owner) == ("eu-west-1", "444455556666")
    assert source.buckets == ("their-logs",)


def test_an_emulators_queue_names_its_region():
    url = "http://127.0.0.1:5000/111122223333/trailcourier"

    tables = tomllib.loads(configuration.text(layout(), url))

    assert tables["sources"]["prod"]["queue_region"] == "us-east-1"
    assert configuration.address(layout(), url).region == "us-east-1"


def test_what_is_there_stays_and_its_sinks_are_used(tmp_path):
    path = tmp_path / "trailcourier.toml"
    path.write_text(f"# mine\n{SINKS}".rstrip())
    there = configuration.held(path)

    tables = configuration.text(layout(), "https://x", sinks=there.sinks)
    configuration.write(path, there, tables)

    text = path.read_text()
    assert text.startswith(f"# mine\n{SINKS}\n[sources.prod]\n")
    assert tomllib.loads(text)["sources"]["prod"]["sinks"] == ["siem"]
    assert [each.name for each in tmp_path.iterdir()] == ["trailcourier.toml"]


def test_a_source_with_another_queue_is_refused_and_with_ours_is_not(tmp_path):
    path = tmp_path / "trailcourier.toml"
    ours, other = configuration.queue_url(layout()), "https://sqs.us-east-1.amazonaws.com/1/q"

    said = [
        configuration.refused(path, layout(), Held(sources={"prod": url})) for url in (ours, other)
    ]

    assert said[0] == ""
    assert "has a source prod already, with another queue" in said[1]
    assert configuration.refused(path, layout(), Held(sources={"other": other})) == ""


@pytest.mark.parametrize("text", ["not = toml = at all", "sources = 3", "\xff"])
def test_a_file_that_is_no_configuration_is_not_added_to(tmp_path, text):
    path = tmp_path / "trailcourier.toml"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(ConfigError, match="cannot be added to"):
        configuration.held(path)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        configuration.write(tmp_path / "no" / "t.toml", Held(), "x")
