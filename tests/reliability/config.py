"""The configuration of a fleet whose times are short."""

import json
from pathlib import Path
from typing import Any

from tests.support import receiver
from tests.support.sqs_stub import SqsStub
from trailcourier.models import ExpertNumbers, Numbers

# seconds; short, so that what a fleet repairs in minutes is repaired while a test looks on
LINE = {
    "claim": 3,
    "lost_after": 3,
    "idle_after": 1,
    "maintenance": 1,
    "poll": 3,
    "receive_wait": 1,
    "park_first": 0.2,
    "park_last": 1.0,
    "breaker_probe": 1.0,
    "heartbeat": 1_000_000,  # the clock is moved on; a worker is not gone for that
    "batch_records": 2,
}

KEYS = """
[sources.prod.credentials]
kind = "iam-user"
access_key_id = "env:WORLD_KEY"
secret_access_key = "env:WORLD_KEY"
"""


def _line(numbers: dict[str, Any]) -> str:
    expert = ExpertNumbers.model_fields
    tables = {
        "line": {name: value for name, value in numbers.items() if name not in expert},
        "line.expert": {name: value for name, value in numbers.items() if name in expert},
    }
    return "".join(
        f"[{table}]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())
        for table, keys in tables.items()
    )


def configured(
    folder: Path,
    sqs: SqsStub,
    receiving: receiver.Running | None,
    *,
    bucket: str,
    source: str = "",
    credentials: str = KEYS,
    threads: int = 4,
    **given: Any,
) -> tuple[Path, Numbers]:
    """Write the configuration; *source* and *credentials* are more of it, *given* numbers."""
    numbers = Numbers(**{**LINE, **given})
    sinks = ["archive", "siem"] if receiving else ["archive"]
    text = f"""
[broker]
url = "env:WORLD_BROKER"
visibility_timeout = 31
[workers]
threads = {threads}
log_format = "json"
metrics_port = 0
heartbeat_file = "{folder / "heartbeat"}"
[sources.prod]
queue_url = "{sqs.queue_url("trail")}"
queue_region = "us-east-1"
bucket_region = "us-east-1"
buckets = ["{bucket}"]
unfiltered = true
sinks = {json.dumps(sinks)}
{source}
{credentials}
[sinks.archive]
type = "file"
path = "{folder / "out"}"
fsync = false
"""
    text += _line({**LINE, **given})
    if receiving:
        port = receiving.port
        text += f'[sinks.siem]\ntype = "receiver"\nport = {port}\nretry_attempts = 1\n'
        text += "timeout_seconds = 2\n"
    path = folder / "trailcourier.toml"
    path.write_text(text)
    return path, numbers
