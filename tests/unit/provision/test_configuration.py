import tomllib

import msgspec
import pytest

from trailcourier import settings
from trailcourier.errors import ConfigError
from trailcourier.provision import Layout, SetupRequest, configuration
from trailcourier.provision.configuration import CredentialReferences, ExistingConfiguration

KEYS = CredentialReferences("env:PROD_ID", "env:PROD_SECRET")
SINKS = '[sinks.siem]\ntype = "stdout"\n'


def layout(**choices):
    return Layout(SetupRequest(account="111122223333", **choices))


def write_and_load(tmp_path, ours, credential=KEYS, **more):
    """Write the tables and load them."""
    path = tmp_path / "trailcourier.toml"
    url = configuration.queue_url(ours)
    tables = configuration.render_source(ours, url, credential=credential)
    configuration.append_to_file(path, ExistingConfiguration(), tables)
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
def test_the_queue_has_the_url_of_its_partition(tmp_path, region, host):
    found = write_and_load(tmp_path, layout(region=region))

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
            CredentialReferences(external_id="env:XID"),
            "assume-role",
            id="cross-account",
        ),
    ],
)
def test_the_credentials_have_the_kind_of_the_reader(tmp_path, choices, credential, kind):
    found = write_and_load(tmp_path, layout(**choices), credential)

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
def test_the_source_assumes_the_bucket_role_to_read_the_bucket(tmp_path, choices, key):
    role = "arn:aws:iam::444455556666:role/logs"
    ours = layout(
        bucket="their.logs", existing_bucket=True, bucket_account="444455556666",
        bucket_region="eu-west-1", bucket_role=role, **choices,
    )  # fmt: skip

    found = write_and_load(tmp_path, ours, msgspec.structs.replace(KEYS, external_id="env:XID"))

    source = found.sources["prod"]
    role_credentials = source.bucket_credentials[source.own_credentials("their.logs")]
    assert role_credentials.kind == "assume-role"
    assert (role_credentials.role_arn, role_credentials.external_id.reveal()) == (role, "x")
    assert (role_credentials.access_key_id and role_credentials.access_key_id.reveal()) == key
    assert source.credentials.role_arn != role
    assert found.warnings() == []


def test_the_source_names_the_buckets_region_and_owner(tmp_path):
    ours = layout(
        bucket="their-logs",
        existing_bucket=True,
        bucket_account="444455556666",
        bucket_region="eu-west-1",
        source="other",
    )

    source = write_and_load(tmp_path, ours).sources["other"]

    assert (source.bucket_region, source.expected_bucket_owner) == ("eu-west-1", "444455556666")
    assert source.buckets == ("their-logs",)


def test_an_emulators_queue_names_its_region():
    url = "http://127.0.0.1:5000/111122223333/trailcourier"

    tables = tomllib.loads(configuration.render_source(layout(), url))

    assert tables["sources"]["prod"]["queue_region"] == "us-east-1"
    assert configuration.queue_address(layout(), url).region == "us-east-1"


def test_existing_tables_stay_and_existing_sinks_are_used(tmp_path):
    path = tmp_path / "trailcourier.toml"
    path.write_text(f"# mine\n{SINKS}".rstrip())
    existing = configuration.read_existing(path)

    tables = configuration.render_source(layout(), "https://x", sinks=existing.sinks)
    configuration.append_to_file(path, existing, tables)

    text = path.read_text()
    assert text.startswith(f"# mine\n{SINKS}\n[sources.prod]\n")
    assert tomllib.loads(text)["sources"]["prod"]["sinks"] == ["siem"]
    assert [each.name for each in tmp_path.iterdir()] == ["trailcourier.toml"]


def test_a_source_of_the_same_name_conflicts_only_if_its_queue_is_another(tmp_path):
    path = tmp_path / "trailcourier.toml"
    ours, other = configuration.queue_url(layout()), "https://sqs.us-east-1.amazonaws.com/1/q"

    conflicts = [
        configuration.find_conflict(path, layout(), ExistingConfiguration(sources={"prod": url}))
        for url in (ours, other)
    ]

    assert conflicts[0] == ""
    assert "already has a source prod with another queue" in conflicts[1]
    assert (
        configuration.find_conflict(path, layout(), ExistingConfiguration(sources={"other": other}))
        == ""
    )


@pytest.mark.parametrize("text", ["not = toml = at all", "sources = 3", "\xff"])
def test_a_file_that_is_not_a_configuration_is_not_added_to(tmp_path, text):
    path = tmp_path / "trailcourier.toml"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(ConfigError, match="cannot be added to"):
        configuration.read_existing(path)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        configuration.append_to_file(tmp_path / "no" / "t.toml", ExistingConfiguration(), "x")
