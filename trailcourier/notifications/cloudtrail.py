"""CloudTrail's notifications, ``{"s3Bucket": ..., "s3ObjectKey": [...]}``, and its test message."""

from typing import Any

import msgspec

from trailcourier.notifications.notice import Notification, convert, deduplicate, make_ref, refuse

VALIDATION = "CloudTrail validation message."  # plain text, not JSON


class _Notice(msgspec.Struct):
    bucket: str = msgspec.field(name="s3Bucket")
    keys: list[str] | str = msgspec.field(name="s3ObjectKey")


def read_notice(value: dict[str, Any]) -> Notification:
    """Return the announced objects; their keys are literal."""
    notice = convert(value, _Notice, "CloudTrail's notification")
    keys = [notice.keys] if isinstance(notice.keys, str) else notice.keys
    if not keys:
        refuse("CloudTrail's notification: s3ObjectKey contains no key")
    refs = (make_ref(f"s3ObjectKey[{n}]", notice.bucket, key) for n, key in enumerate(keys))
    return Notification("cloudtrail", deduplicate(refs), from_cloudtrail=True)
