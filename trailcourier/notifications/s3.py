"""S3 event notifications: "Event message structure" of the S3 User Guide, major version 2."""

import re
from collections import Counter
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from trailcourier.models import ObjectRef
from trailcourier.notifications.notice import (
    Named,
    Notification,
    converted,
    distinct,
    ref,
    refuse,
    shown,
)

# What stands before the colon of "Supported event types".  A kind that is new is not understood
# rather than skipped: it may announce an object.
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


class _Object(msgspec.Struct):
    key: str
    etag: str | None = msgspec.field(name="eTag", default=None)
    version: str | None = msgspec.field(name="versionId", default=None)
    size: Any = None


class _Content(msgspec.Struct):
    bucket: Named
    object: _Object


class _Entry(msgspec.Struct):
    version: str = msgspec.field(name="eventVersion")
    source: str = msgspec.field(name="eventSource")
    name: str = msgspec.field(name="eventName")
    region: Any = msgspec.field(name="awsRegion", default=None)
    s3: Any = None


class _Event(msgspec.Struct):
    entries: list[_Entry] = msgspec.field(name="Records")


def event(value: dict[str, Any]) -> Notification:
    """Return the objects whose creation an event announces.

    An event without entries is not understood: it announces neither an object nor another change.
    """
    entries = converted(value, _Event, "an S3 event").entries
    if not entries:
        refuse("an S3 event: Records holds no entry")
    refs: list[ObjectRef] = []
    skipped: Counter[str] = Counter()
    for at, entry in enumerate(entries):
        kind = _kind(entry, f"Records[{at}]")
        if kind == "ObjectCreated":
            refs.append(_created(entry, f"Records[{at}]"))
        else:
            skipped[kind] += 1
    unread = "" if refs else "s3-non-create"
    return Notification("s3", distinct(refs), unread=unread, skipped=dict(skipped))


def test(value: dict[str, Any]) -> Notification:
    """Recognise what S3 sends when notifications are configured."""
    if value["Event"] != "s3:TestEvent":
        refuse(f"the Event {shown(value['Event'])} is not s3:TestEvent")
    return Notification("s3-test-event", unread="s3-test-event")


def _kind(entry: _Entry, where: str) -> str:
    """Return what eventName begins with; some servers like S3 write ``s3:`` before it."""
    if entry.source != "aws:s3":
        refuse(f"{where}: eventSource is {shown(entry.source)}, not aws:s3")
    if entry.version.partition(".")[0] != "2":
        refuse(f"{where}: eventVersion is {shown(entry.version)}, not 2")
    kind = entry.name.removeprefix("s3:").partition(":")[0]
    if kind != "ObjectCreated" and kind not in NON_CREATE:
        refuse(f"{where}: eventName {shown(entry.name)} is unknown")
    return kind


def _created(entry: _Entry, where: str) -> ObjectRef:
    content = converted(entry.s3, _Content, f"{where}.s3")
    return ref(
        where,
        content.bucket.name,
        _form_decoded(content.object.key, where),
        version=content.object.version,
        etag=content.object.etag,
        region=entry.region,
        size=content.object.size,
    )


def _form_decoded(key: str, where: str) -> str:
    """Decode what S3 encoded; a guess at what it never writes could name another object."""
    try:
        decoded = unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        refuse(f"{where}: the key {shown(key)} is escaped, but not from UTF-8")
    if _STRAY_PERCENT.search(key):
        refuse(f"{where}: the key {shown(key)} is not form-encoded")
    return decoded
