"""What travels through the broker, where Flower and everybody with its password can read it."""

import subprocess
import sys

import pytest

from trailcourier.ledger import broker

CREDENTIALS = """
[sources.prod.credentials]
kind = "iam-user"
access_key_id = "env:FLEET_KEY_ID"
secret_access_key = "env:FLEET_KEY"
"""
KEYS = {"FLEET_KEY_ID": "AKIAEXAMPLEEXAMPLE", "FLEET_KEY": "a-key-that-nobody-may-see"}


@pytest.fixture
def published(fleet):
    """Publish a chord in a process that holds secrets; the output of that process."""
    text = fleet.config.read_text()
    fleet.config.write_text(text.replace("[sinks.archive]", f"{CREDENTIALS}\n[sinks.archive]"))
    argv = [sys.executable, "-m", "tests.integration.trial_publish"]
    environment = fleet.environment | KEYS
    ran = subprocess.run(argv, env=environment, input=b"3\n", capture_output=True, check=True)
    return ran.stdout + ran.stderr


def test_no_secret_is_in_a_task_message(published, shared_broker):
    password = shared_broker.url.split(":")[2].split("@")[0]
    with broker.connect(shared_broker.url) as client:
        kept = [client.dump(name) for name in client.scan_iter()]
        tasks = client.lrange("trailcourier:1:celery:objects", 0, -1)

    text = b"\n".join([published, *kept, *tasks]).decode(errors="replace")
    assert len(tasks) == 3
    assert [secret for secret in (password, *KEYS.values()) if secret in text] == []
