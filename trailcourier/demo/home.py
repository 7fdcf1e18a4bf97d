"""Where the demo lives: a folder, a configuration, and an environment that is nobody's."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from trailcourier.demo.aws import KEYS, REGION
from trailcourier.demo.traffic import BUCKETS
from trailcourier.settings.environment import FOREIGN

_OF_OTHERS = ("TRAILCOURIER_", "AWS_", "CELERY_", "FLOWER_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


def environment(around: Mapping[str, str], *, endpoint: str = "") -> dict[str, str]:
    """*around* without what would lead to a real account, broker or proxy."""
    kept = {
        name: value
        for name, value in around.items()
        if not name.startswith(_OF_OTHERS) and name.lower() not in _PROXIES and name not in FOREIGN
    }
    nowhere = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    there = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    return {**kept, **KEYS, **nowhere, **there}


def configure(directory: Path, queue_url: str, *, processes: int, metrics: int) -> Path:
    """Write the demo's configuration into *directory*; it is one to look at, too."""
    path = directory / "trailcourier.toml"
    path.write_text(
        f"""\
# No broker is named, so one is started. The emulated AWS is in AWS_ENDPOINT_URL.

[workers]
processes = {processes}
threads = 4
log_format = "json"
state_dir = {_text(directory / "state")}
heartbeat_file = {_text(directory / "heartbeat")}
metrics_port = {metrics}

[line]
receive_wait = 2

[sources.demo]
queue_url = {_text(queue_url)}
queue_region = {_text(REGION)}
buckets = {json.dumps(list(BUCKETS))}
sinks = ["files"]

[sinks.files]
type = "file"
path = {_text(directory / "events")}
""",
        encoding="utf-8",
    )
    return path


def _text(value: object) -> str:
    """*value* as TOML writes it: what JSON writes will do."""
    return json.dumps(str(value), ensure_ascii=False)
