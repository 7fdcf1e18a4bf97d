"""The decoded notification, and the checks that all formats share."""

import re
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

import msgspec

from trailcourier import keys
from trailcourier.aws import regions
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

NO_LOG = {
    "aws-config": "A notice of AWS Config, which Control Tower sends to CloudTrail's topic.",
    "cloudtrail-validation": "CloudTrail tests the topic when it is set on a trail.",
    "s3-non-create": "S3 reports that an object was deleted, restored, tagged or moved.",
    "s3-test-event": "S3 tests the destination when bucket notifications are configured.",
}
KEY_BYTES = 1024  # S3's limit for a key, in UTF-8

_TOKEN = re.compile(r"[!-~]{1,1024}")

_T = TypeVar("_T")


class Notification(msgspec.Struct, frozen=True):
    """One decoded notification.

    *shape* is its envelopes and its format, for example ``sns/s3``; there are few, so it may label
    a counter.  *objects* are distinct and in order.  *from_cloudtrail* says that CloudTrail sent
    it, not S3.  *no_log* is a key of NO_LOG if the notification is known to announce no log file.
    *skipped* counts the entries that announce no object, by kind of event.
    """

    shape: str
    objects: tuple[ObjectRef, ...] = ()
    from_cloudtrail: bool = False
    no_log: str = ""
    skipped: dict[str, int] = {}


class AnnouncedBucket(msgspec.Struct):
    """The part of an S3 event that names a bucket."""

    name: str


def convert(value: object, shape: type[_T], where: str) -> _T:
    """Return *value* as a *shape*; refuse the notification, naming *where*, if it does not fit."""
    try:
        return msgspec.convert(value, type=shape)
    except msgspec.ValidationError as error:
        refuse(f"{where}: {quote(str(error), 160)}")


def make_ref(
    where: str,
    bucket: str,
    key: str,
    *,
    version: str | None = None,
    etag: str | None = None,
    region: object = None,
    size: object = None,
) -> ObjectRef:
    """Return a checked ObjectRef; *region* and *size* are hints, and dropped if invalid."""
    if not keys.BUCKET.fullmatch(bucket):  # it becomes part of a host name
        refuse(f"{where}: {quote(bucket)} is not a valid bucket name")
    if not 0 < len(key.encode()) <= KEY_BYTES:
        refuse(f"{where}: the key has {len(key.encode())} bytes; S3 allows 1 to {KEY_BYTES}")
    return ObjectRef(
        bucket,
        key,
        # an object stored while versioning was off has version "null"; read it without a version
        version=_checked_token(version if version != "null" else None, f"{where}: the version"),
        etag=_checked_token(etag.strip('"') if etag else None, f"{where}: the etag"),
        region=_region_or_none(region),
        size=size if type(size) is int and 0 <= size < 2**63 else None,
    )


def deduplicate(refs: Iterable[ObjectRef]) -> tuple[ObjectRef, ...]:
    """Return *refs* without repetitions of the same bucket, key, version and etag."""
    seen: dict[tuple[Any, ...], ObjectRef] = {}
    for each in refs:
        seen.setdefault((each.bucket, each.key, each.version, each.etag), each)
    return tuple(seen.values())


def quote(value: object, length: int = 80) -> str:
    """Return up to *length* characters of a text, quoted and escaped; else the value's type."""
    if not isinstance(value, str):
        return f"<{type(value).__name__}>"
    escaped = ascii(value[:length])[1:-1]
    fits = len(value) <= length and len(escaped) <= length
    return f"'{escaped}'" if fits else f"'{escaped[:length]}...'"


def refuse(detail: str) -> NoReturn:
    """Raise the Fault of a notification that is not understood; *detail* says why."""
    raise Fault("not-understood", detail)


def _checked_token(text: str | None, where: str) -> str | None:
    if not text:
        return None
    if not _TOKEN.fullmatch(text):
        refuse(f"{where} {quote(text)} is not one that S3 assigns")
    return text


def _region_or_none(hint: object) -> str | None:
    if not isinstance(hint, str) or len(hint) > 32:
        return None
    try:
        return regions.parse_code(hint)
    except ValueError:
        return None
