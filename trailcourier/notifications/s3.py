"""S3 event notifications: "Event message structure" of the S3 User Guide, major version 2."""

import re
from collections import Counter
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from trailcourier.models import ObjectRef
from trailcourier.notifications.notice import (
    AnnouncedBucket,
    Notification,
    convert,
    deduplicate,
    make_ref,
    quote,
    refuse,
)

# The part of "Supported event types" before the colon.  An unknown kind is not understood, and not
# skipped: it may announce an object.
NON_CREATE = frozenset(
    {
        "IntelligentTiering",
        "LifecycleExpiration",
        "LifecycleTransition",
        "ObjectAcl",
        "ObjectAnnotation",
        "ObjectRemoved",
        "ObjectRestore",
        "ObjectRetention",
        "ObjectTagging",
        "ReducedRedundancyLostObject",
        "Replication",
    }
)
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _S3Object(msgspec.Struct):
    key: str
    etag: str | None = msgspec.field(name="eTag", default=None)
    version: str | None = msgspec.field(name="versionId", default=None)
    size: Any = None


class _Content(msgspec.Struct):
    bucket: AnnouncedBucket
    object: _S3Object


class _Entry(msgspec.Struct):
    version: str = msgspec.field(name="eventVersion")
    source: str = msgspec.field(name="eventSource")
    name: str = msgspec.field(name="eventName")
    region: Any = msgspec.field(name="awsRegion", default=None)
    s3: Any = None


class _S3Event(msgspec.Struct):
    entries: list[_Entry] = msgspec.field(name="Records")


def read_event(value: dict[str, Any]) -> Notification:
    """Return the objects whose creation the event announces.

    An event without entries is not understood: it announces neither an object nor another change.
    """
    entries = convert(value, _S3Event, "an S3 event").entries
    if not entries:
        refuse("an S3 event: Records is empty")
    refs: list[ObjectRef] = []
    skipped: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        kind = _kind(entry, f"Records[{index}]")
        if kind == "ObjectCreated":
            refs.append(_created_object(entry, f"Records[{index}]"))
        else:
            skipped[kind] += 1
    no_log = "" if refs else "s3-non-create"
    return Notification("s3", deduplicate(refs), no_log=no_log, skipped=dict(skipped))


def read_test_event(value: dict[str, Any]) -> Notification:
    """Recognise the event that S3 sends when bucket notifications are configured."""
    if value["Event"] != "s3:TestEvent":
        refuse(f"the Event {quote(value['Event'])} is not s3:TestEvent")
    return Notification("s3-test-event", no_log="s3-test-event")


def _kind(entry: _Entry, where: str) -> str:
    """Return the first part of eventName; some S3-compatible servers prefix it with ``s3:``."""
    if entry.source != "aws:s3":
        refuse(f"{where}: eventSource is {quote(entry.source)}, not aws:s3")
    if entry.version.partition(".")[0] != "2":
        refuse(f"{where}: eventVersion is {quote(entry.version)}, not 2")
    kind = entry.name.removeprefix("s3:").partition(":")[0]
    if kind != "ObjectCreated" and kind not in NON_CREATE:
        refuse(f"{where}: eventName {quote(entry.name)} is unknown")
    return kind


def _created_object(entry: _Entry, where: str) -> ObjectRef:
    content = convert(entry.s3, _Content, f"{where}.s3")
    return make_ref(
        where,
        content.bucket.name,
        _decode_key(content.object.key, where),
        version=content.object.version,
        etag=content.object.etag,
        region=entry.region,
        size=content.object.size,
    )


def _decode_key(key: str, where: str) -> str:
    """Form-decode a key.

    A key that S3 would not have encoded so is refused: a guess could name another object.
    """
    try:
        decoded = unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        refuse(f"{where}: the key {quote(key)} is percent-encoded, but not as UTF-8")
    if _STRAY_PERCENT.search(key):
        refuse(f"{where}: the key {quote(key)} is not form-encoded")
    return decoded
