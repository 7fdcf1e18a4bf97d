"""Log files as CloudTrail writes them: keys, sizes, and the ways JSON may be written."""

import gzip
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from trailcourier.demo import events
from trailcourier.demo.event_context import ACCOUNTS, REGIONS, Event, EventContext
from trailcourier.demo.manifest import written_record
from trailcourier.demo.traffic import BUCKETS, LogFile, s3_object

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
PREFIXES = ("", "", "audit/", "audit logs+2026/größe=1%/")
ORGANISATION = "o-example1234"
MEDIAN, MOST = 20, 400  # records of a file

CreateEvent = Callable[[EventContext], Event]

# The first files are the rare kinds, so that even a small simulation has them.
_RARE: tuple[tuple[str, CreateEvent], ...] = (
    ("CloudTrail-Insight", events.insight),
    ("CloudTrail-NetworkActivity", events.network),
    ("CloudTrail-Aggregated", events.aggregated),
)
_FULL, _EMPTY, _PLAIN, _TWO_MEMBERS = range(len(_RARE), len(_RARE) + 4)

_COMPACT: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False}
_STYLES: tuple[dict[str, Any], ...] = (
    *([_COMPACT] * 8),
    {**_COMPACT, "ensure_ascii": True},
    {"separators": (", ", ": ")},
    {"indent": 1},  # line breaks between tokens become spaces on the way
)


def log_file(rng: random.Random, number: int, *, bucket: str = "") -> LogFile:
    """Return the file of that *number*, in *bucket* or in a random one."""
    context = EventContext(
        rng,
        account=rng.choice(ACCOUNTS),
        region=rng.choice(REGIONS),
        now=START + timedelta(seconds=7 * number),
    )
    kind, create = _RARE[number] if number < len(_RARE) else ("CloudTrail", events.event)
    size = round(rng.lognormvariate(0, 1.1) * MEDIAN)
    count = {_FULL: MOST, _EMPTY: 0}.get(number, min(MOST, max(1, size)))
    made = [create(context) for _ in range(count)]
    key = _key(context, kind, ".json" if number == _PLAIN else ".json.gz")
    return _build_file(bucket or rng.choice(list(BUCKETS)), key, made, number)


def damage(file: LogFile, spoil: Callable[[bytes], bytes]) -> LogFile:
    """Return *file* with an unreadable body; its records must not be delivered."""
    body = spoil(file.body)
    records = tuple(msgspec.structs.replace(record, damaged=True) for record in file.records)
    return LogFile(s3_object(file.location.bucket, file.location.key, body), body, records)


def _build_file(bucket: str, key: str, made: Sequence[Event], number: int) -> LogFile:
    style = _STYLES[number % len(_STYLES)]
    lines = [json.dumps(event, **style).encode() for event in made]
    text = b'{"Records":[' + b",".join(lines) + b"]}"
    pairs = zip(lines, made, strict=True)
    records = tuple(written_record(line, event, bucket, key) for line, event in pairs)
    body = _compress(text, key, number)
    return LogFile(s3_object(bucket, key, body), body, records)


def _compress(text: bytes, key: str, number: int) -> bytes:
    if not key.endswith(".gz"):
        return text
    cut = len(text) // 2 if number == _TWO_MEMBERS else len(text)
    parts = [part for part in (text[:cut], text[cut:]) if part]
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def _key(context: EventContext, kind: str, ending: str) -> str:
    """Return a key by the grammar of "Finding your CloudTrail log files"."""
    prefix = context.rng.choice(PREFIXES)
    owner = f"{ORGANISATION}/" if context.rng.random() < 0.25 else ""
    stamp = context.now.strftime("%Y%m%dT%H%MZ")
    name = f"{context.account}_{kind}_{context.region}_{stamp}_{context.letters(16)}{ending}"
    folder = f"{context.account}/{kind}/{context.region}/{context.now:%Y/%m/%d}"
    return f"{prefix}AWSLogs/{owner}{folder}/{name}"
