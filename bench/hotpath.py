"""The hot path, from the bytes of a log file to the lines a sink is given, beside the plain way.

The plain way is what one writes first: ``gzip``, ``json.loads``, a filter in Python, and
``json.dumps``.  Both take turns in one process on one core, so that whatever else the machine does
meets both alike; of each file the best time counts.
"""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

from bench.events import log_file
from trailcourier.filters import DEFAULT_RULE, compile_rules, passing
from trailcourier.models import Numbers
from trailcourier.records import Limits, open_log

SPARED = {f"{name}.amazonaws.com" for name in ("sts", "kms", "secretsmanager", "ssm")}

EVENTS = 10_000
PASSES = 3  # in a turn: the first still meets what the other way left in the caches

LIMITS = Limits()
NUMBERS = Numbers()
DECIDE = compile_rules(DEFAULT_RULE)


def ours(data: bytes) -> list[bytes]:
    """The lines of each batch, as the line of the program makes them."""
    log = open_log(data, LIMITS)
    return [
        b"\n".join(passing(batch.records, DECIDE(batch.records)))
        for batch in log.batches(records=NUMBERS.batch_records, size=NUMBERS.batch_bytes)
    ]


def plain(data: bytes) -> bytes:
    records = json.loads(gzip.decompress(data))["Records"]
    return "\n".join(json.dumps(record) for record in records if not _dropped(record)).encode()


def _dropped(record: dict[str, Any]) -> bool:
    return (
        record.get("userIdentity", {}).get("type") == "AWSService"
        and record.get("readOnly") is True
        and record.get("managementEvent") is True
        and record.get("errorCode") is None
        and record.get("eventSource", "sts.amazonaws.com") not in SPARED
    )


def ratio(events: int, seconds: float) -> float:
    """How many times as fast as the plain way ours is, on files of so many *events*."""
    files = [log_file(events, seed) for seed in range(EVENTS // events)]
    passed = sum(_checked(data) for data in files)
    best = {way: [float("inf")] * len(files) for way in (ours, plain)}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for way, times in best.items():
            for _ in range(PASSES):
                for which, data in enumerate(files):
                    times[which] = min(times[which], _seconds(way, data))
    mine, other = (sum(times) / EVENTS * 1e6 for times in best.values())
    print(
        f"{len(files)} files of {events} events, {sum(map(len, files)) // EVENTS} bytes an event, "
        f"{passed / EVENTS:.0%} pass: {mine:.2f} us an event, plain {other:.2f} us"
    )
    return other / mine


def _seconds(way: Callable[[bytes], object], data: bytes) -> float:
    start = time.perf_counter()
    way(data)
    return time.perf_counter() - start


def _checked(data: bytes) -> int:
    """How many records pass; both ways must keep the same ones, and ours as they were."""
    mine, other = b"\n".join(ours(data)).split(b"\n"), plain(data).split(b"\n")
    if list(map(json.loads, mine)) != list(map(json.loads, other)):
        raise SystemExit("the two ways do not keep the same records")
    text, at = gzip.decompress(data), 0
    for record in mine:
        at = text.find(record, at)
        if at < 0:
            raise SystemExit("a record was altered")
    return len(mine)
