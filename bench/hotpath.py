"""The hot path, from the bytes of a log file to the lines for a sink, compared with plain Python.

The plain way is ``gzip``, ``json.loads``, a filter in Python, and ``json.dumps``.  Both take turns
in one process on one core, so other load on the machine affects both alike.  The best time of
each file counts.
"""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

from bench.log_files import log_file
from trailcourier.filters import DEFAULT_RULE, compile_rules, select_passing
from trailcourier.models import Numbers
from trailcourier.records import LogLimits, open_log

NEVER_DROPPED = {f"{name}.amazonaws.com" for name in ("sts", "kms", "secretsmanager", "ssm")}

EVENTS = 10_000
PASSES = 3  # in a turn: the first one still runs on the caches of the other way

LIMITS = LogLimits()
NUMBERS = Numbers()
DECIDE = compile_rules(DEFAULT_RULE)


def hot_path(data: bytes) -> list[bytes]:
    """Return the lines of each batch, as Trailcourier makes them."""
    log = open_log(data, LIMITS)
    return [
        b"\n".join(select_passing(batch.records, DECIDE(batch.records)))
        for batch in log.batches(records=NUMBERS.batch_records, size=NUMBERS.batch_bytes)
    ]


def plain_path(data: bytes) -> bytes:
    """Return the lines, as plain Python makes them."""
    records = json.loads(gzip.decompress(data))["Records"]
    return "\n".join(json.dumps(record) for record in records if not _dropped(record)).encode()


def _dropped(record: dict[str, Any]) -> bool:
    return (
        record.get("userIdentity", {}).get("type") == "AWSService"
        and record.get("readOnly") is True
        and record.get("managementEvent") is True
        and record.get("errorCode") is None
        and record.get("eventSource", "sts.amazonaws.com") not in NEVER_DROPPED
    )


def measure_speedup(events: int, seconds: float) -> float:
    """Return how many times as fast as plain Python the hot path is, on files of *events*."""
    files = [log_file(events, seed) for seed in range(EVENTS // events)]
    passed = sum(_count_passing(data) for data in files)
    best = {way: [float("inf")] * len(files) for way in (hot_path, plain_path)}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for way, times in best.items():
            for _ in range(PASSES):
                for at, data in enumerate(files):
                    times[at] = min(times[at], _measure(way, data))
    hot, plain = (sum(times) / EVENTS * 1e6 for times in best.values())
    print(
        f"{len(files)} files of {events} events, {sum(map(len, files)) // EVENTS} bytes an event, "
        f"{passed / EVENTS:.0%} pass: {hot:.2f} us an event, plain {plain:.2f} us"
    )
    return plain / hot


def _measure(way: Callable[[bytes], object], data: bytes) -> float:
    start = time.perf_counter()
    way(data)
    return time.perf_counter() - start


def _count_passing(data: bytes) -> int:
    """Return how many records pass.

    Raises SystemExit if the two ways pass different records, or the hot path altered one.
    """
    hot, plain = b"\n".join(hot_path(data)).split(b"\n"), plain_path(data).split(b"\n")
    if list(map(json.loads, hot)) != list(map(json.loads, plain)):
        raise SystemExit("bench: the hot path and plain Python pass different records")
    text, at = gzip.decompress(data), 0
    for record in hot:
        at = text.find(record, at)
        if at < 0:
            raise SystemExit("bench: the hot path altered a record")
    return len(hot)
