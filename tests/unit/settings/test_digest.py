"""The digest of the settings that decide how the line works."""

import json

import pytest

from trailcourier.settings import Settings
from trailcourier.settings.digest import digest

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
KEYS = {"kind": "iam-user", "access_key_id": "env:ID", "secret_access_key": "env:KEY"}
ENVIRON = {"ID": "AKIA", "KEY": "hunter2", "OTHER": "hunter3"}


def made(*, source=(), sink=(), **more):
    tree = {
        "sources": {
            "prod": {"queue_url": QUEUE, "sinks": ["siem"], "credentials": KEYS, **dict(source)}
        },
        "sinks": {"siem": {"type": "file", "path": "events", **dict(sink)}},
        **more,
    }
    return digest(Settings.model_validate(tree, context={"environ": ENVIRON}))


def test_the_same_configuration_has_the_same_digest():
    assert made() == made()
    assert len(made()) == 12


@pytest.mark.parametrize(
    "more",
    [
        {"source": {"buckets": ["acme-logs"]}},
        {"source": {"unfiltered": True}},
        {"sink": {"gzip": True}},
        {"line": {"batch_records": 10}},
        {"broker": {"namespace": "other"}},
    ],
)
def test_settings_of_the_line_change_the_digest(more):
    assert made(**more) != made()


@pytest.mark.parametrize(
    "more",
    [
        {"source": {"credentials": {**KEYS, "secret_access_key": "env:OTHER"}}},
        {"workers": {"threads": 3, "metrics_port": 0}},
        {"broker": {"url": "redis://another.example:6379/0"}},
        {"line": {}},
        {"line": {"receive_wait": 1}},
        {"line": {"memory_mib": 512}},
    ],
)
def test_settings_of_one_host_do_not(more):
    assert made(**more) == made()


def test_the_digest_does_not_depend_on_secrets(monkeypatch):
    digested = []
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda *a, **more: digested.append(dumps(*a, **more)) or "")
    made()

    assert '"secret_access_key": "secret"' in digested[0]
    assert "hunter2" not in digested[0]
    assert "env:" not in digested[0]
