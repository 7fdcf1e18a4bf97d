"""The demo's configuration, and an environment without credentials or addresses of others."""

import os
from collections.abc import Mapping
from pathlib import Path

from trailcourier.demo.aws import KEYS, REGION
from trailcourier.demo.traffic import BUCKETS
from trailcourier.settings.environment import FOREIGN
from trailcourier.settings.toml_text import toml_value

_REMOVED_PREFIXES = ("TRAILCOURIER_", "AWS_", "CELERY_", "FLOWER_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


def isolated_environment(parent: Mapping[str, str], *, endpoint: str = "") -> dict[str, str]:
    """Return *parent* without variables that lead to a real account, broker or proxy."""
    kept = {
        name: value
        for name, value in parent.items()
        if not name.startswith(_REMOVED_PREFIXES)
        and name.lower() not in _PROXIES
        and name not in FOREIGN
    }
    no_aws_files = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    endpoints = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    return {**kept, **KEYS, **no_aws_files, **endpoints}


def write_configuration(directory: Path, queue_url: str, *, processes: int, metrics: int) -> Path:
    """Write the demo's configuration into *directory*, for a reader too; returns its path."""
    path = directory / "trailcourier.toml"
    path.write_text(
        f"""\
# No broker is named, so one is started. The emulated AWS is in AWS_ENDPOINT_URL.

[workers]
processes = {processes}
threads = 4
log_format = "json"
state_dir = {toml_value(str(directory / "state"))}
heartbeat_file = {toml_value(str(directory / "heartbeat"))}
metrics_port = {metrics}

[line]
receive_wait = 2

[sources.demo]
queue_url = {toml_value(queue_url)}
queue_region = {toml_value(REGION)}
buckets = {toml_value(list(BUCKETS))}
sinks = ["files"]

[sinks.files]
type = "file"
path = {toml_value(str(directory / "events"))}
""",
        encoding="utf-8",
    )
    return path
