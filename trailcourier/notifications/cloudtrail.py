"""CloudTrail's own notices: ``{"s3Bucket": ..., "s3ObjectKey": [...]}``, and its trial."""

from typing import Any

import msgspec

from trailcourier.notifications.notice import Notification, converted, distinct, ref, refuse

VALIDATION = "CloudTrail validation message."  # a text, no JSON


class _Notice(msgspec.Struct):
    bucket: str = msgspec.field(name="s3Bucket")
    keys: list[str] | str = msgspec.field(name="s3ObjectKey")


def notice(value: dict[str, Any]) -> Notification:
    """Return the objects a notice names; their keys are literal."""
    said = converted(value, _Notice, "CloudTrail's notice")
    keys = [said.keys] if isinstance(said.keys, str) else said.keys
    if not keys:
        refuse("CloudTrail's notice: s3ObjectKey names no key")
    refs = (ref(f"s3ObjectKey[{at}]", said.bucket, key) for at, key in enumerate(keys))
    return Notification("cloudtrail", distinct(refs), own=True)
