"""What every shape of message comes to, and the checks all of them share."""

import re
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

import msgspec

from trailcourier import keys, regions
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

UNREAD = {
    "aws-config": "A notice of AWS Config, which Control Tower sends to CloudTrail's topic.",
    "cloudtrail-validation": "CloudTrail tries out the topic when it is set on a trail.",
    "s3-non-create": "S3 says that an object was deleted, restored, tagged or moved.",
    "s3-test-event": "S3 tries out the destination when bucket notifications are configured.",
}
KEY_BYTES = 1024  # the longest key S3 takes, in UTF-8

_OPAQUE = re.compile(r"[!-~]{1,1024}")

_T = TypeVar("_T")


class Notification(msgspec.Struct, frozen=True):
    """What one message says.

    *shape* is the path to it, such as ``sns/s3``; there are few, so it may label a counter.
    *objects* are distinct and in order.  *own* is true for CloudTrail's own notice.  *unread* is a
    key of UNREAD if the message positively announces no log.  *skipped* counts, by kind of event,
    the entries beside the objects that announce none.
    """

    shape: str
    objects: tuple[ObjectRef, ...] = ()
    own: bool = False
    unread: str = ""
    skipped: dict[str, int] = {}


class Named(msgspec.Struct):
    """The part of an event that names a bucket."""

    name: str


def converted(value: object, shape: type[_T], where: str) -> _T:
    """Return *value* as a *shape*; refuse it, naming the place, if it is none."""
    try:
        return msgspec.convert(value, type=shape)
    except msgspec.ValidationError as error:
        refuse(f"{where}: {shown(str(error), 160)}")


def ref(
    where: str,
    bucket: str,
    key: str,
    *,
    version: str | None = None,
    etag: str | None = None,
    region: object = None,
    size: object = None,
) -> ObjectRef:
    """Check what will be asked of S3; *region* and *size* are hints, dropped if they are odd."""
    if not keys.BUCKET.fullmatch(bucket):  # it becomes a host
        refuse(f"{where}: the bucket {shown(bucket)} has no bucket's name")
    if not 0 < len(key.encode()) <= KEY_BYTES:
        refuse(f"{where}: a key of {len(key.encode())} bytes; S3 takes 1 to {KEY_BYTES}")
    return ObjectRef(
        bucket,
        key,
        # an object put while versioning was off is version "null", and read without naming it
        version=_opaque(version if version != "null" else None, f"{where}: the version"),
        etag=_opaque(etag.strip('"') if etag else None, f"{where}: the etag"),
        region=_region(region),
        size=size if type(size) is int and 0 <= size < 2**63 else None,
    )


def distinct(refs: Iterable[ObjectRef]) -> tuple[ObjectRef, ...]:
    """Keep the first of each bucket, key, version and etag."""
    seen: dict[tuple[Any, ...], ObjectRef] = {}
    for each in refs:
        seen.setdefault((each.bucket, each.key, each.version, each.etag), each)
    return tuple(seen.values())


def shown(what: object, most: int = 80) -> str:
    """Return at most *most* characters of *what*, quoted and escaped; of no text only its type."""
    if not isinstance(what, str):
        return f"<{type(what).__name__}>"
    escaped = ascii(what[:most])[1:-1]
    whole = len(what) <= most and len(escaped) <= most
    return f"'{escaped}'" if whole else f"'{escaped[:most]}...'"


def refuse(detail: str) -> NoReturn:
    """Say that the message is not understood, and why."""
    raise Fault("not-understood", detail)


def _opaque(text: str | None, where: str) -> str | None:
    if not text:
        return None
    if not _OPAQUE.fullmatch(text):
        refuse(f"{where} {shown(text)} is none that S3 gives")
    return text


def _region(hint: object) -> str | None:
    if not isinstance(hint, str) or len(hint) > 32:
        return None
    try:
        return regions.code(hint)
    except ValueError:
        return None
