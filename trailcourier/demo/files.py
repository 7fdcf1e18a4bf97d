"""Log files as CloudTrail leaves them in a bucket: keys, sizes, the ways JSON may be written."""

import gzip
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from trailcourier.demo import events
from trailcourier.demo.manifest import written
from trailcourier.demo.scene import ACCOUNTS, REGIONS, Event, Scene
from trailcourier.demo.traffic import BUCKETS, LogFile, placed

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
PREFIXES = ("", "", "audit/", "audit logs+2026/größe=1%/")
ORGANISATION = "o-example1234"
USUAL, LONGEST = 20, 400  # records of a file: the median, and the most

Make = Callable[[Scene], Event]

# the first files are the rare ones, so that even a small simulation has them
_RARE: tuple[tuple[str, Make], ...] = (
    ("CloudTrail-Insight", events.insight),
    ("CloudTrail-NetworkActivity", events.network),
    ("CloudTrail-Aggregated", events.aggregated),
)
_FULL, _EMPTY, _PLAIN, _MEMBERS = range(len(_RARE), len(_RARE) + 4)

_COMPACT: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False}
_STYLES: tuple[dict[str, Any], ...] = (
    *([_COMPACT] * 8),
    {**_COMPACT, "ensure_ascii": True},
    {"separators": (", ", ": ")},
    {"indent": 1},  # line breaks between tokens become spaces on the way
)


def log_file(rng: random.Random, number: int, *, bucket: str = "") -> LogFile:
    """The file of that *number*, in *bucket* or any."""
    scene = Scene(
        rng,
        account=rng.choice(ACCOUNTS),
        region=rng.choice(REGIONS),
        now=START + timedelta(seconds=7 * number),
    )
    kind, make = _RARE[number] if number < len(_RARE) else ("CloudTrail", events.event)
    usual = round(rng.lognormvariate(0, 1.1) * USUAL)
    count = {_FULL: LONGEST, _EMPTY: 0}.get(number, min(LONGEST, max(1, usual)))
    made = [make(scene) for _ in range(count)]
    key = _key(scene, kind, ".json" if number == _PLAIN else ".json.gz")
    return _filled(bucket or rng.choice(list(BUCKETS)), key, made, number)


def damaged(file: LogFile, spoil: Callable[[bytes], bytes]) -> LogFile:
    """*file* with another body, which cannot be read; its records must not be delivered."""
    body = spoil(file.body)
    records = tuple(msgspec.structs.replace(record, damaged=True) for record in file.records)
    return LogFile(placed(file.where.bucket, file.where.key, body), body, records)


def _filled(bucket: str, key: str, made: Sequence[Event], number: int) -> LogFile:
    style = _STYLES[number % len(_STYLES)]
    lines = [json.dumps(event, **style).encode() for event in made]
    text = b'{"Records":[' + b",".join(lines) + b"]}"
    pairs = zip(lines, made, strict=True)
    records = tuple(written(line, event, bucket, key) for line, event in pairs)
    body = _packed(text, key, number)
    return LogFile(placed(bucket, key, body), body, records)


def _packed(text: bytes, key: str, number: int) -> bytes:
    if not key.endswith(".gz"):
        return text
    cut = len(text) // 2 if number == _MEMBERS else len(text)
    parts = [part for part in (text[:cut], text[cut:]) if part]
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def _key(scene: Scene, kind: str, ending: str) -> str:
    """A key by the grammar of "Finding your CloudTrail log files"."""
    prefix = scene.rng.choice(PREFIXES)
    owner = f"{ORGANISATION}/" if scene.rng.random() < 0.25 else ""
    stamp = scene.now.strftime("%Y%m%dT%H%MZ")
    name = f"{scene.account}_{kind}_{scene.region}_{stamp}_{scene.letters(16)}{ending}"
    folder = f"{scene.account}/{kind}/{scene.region}/{scene.now:%Y/%m/%d}"
    return f"{prefix}AWSLogs/{owner}{folder}/{name}"
