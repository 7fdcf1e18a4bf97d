"""S3's events through EventBridge: "EventBridge event message structure" of the S3 User Guide."""

from typing import Any

import msgspec

from trailcourier.notifications.notice import (
    AnnouncedBucket,
    Notification,
    convert,
    make_ref,
    quote,
    refuse,
)

NON_CREATE = frozenset(  # S3's detail-types; an unknown one is not understood, not skipped
    {
        "Object ACL Updated",
        "Object Access Tier Changed",
        "Object Annotation Created",
        "Object Annotation Deleted",
        "Object Deleted",
        "Object Restore Completed",
        "Object Restore Expired",
        "Object Restore Initiated",
        "Object Storage Class Changed",
        "Object Tags Added",
        "Object Tags Deleted",
    }
)


class _EventBridgeEvent(msgspec.Struct):
    kind: str = msgspec.field(name="detail-type")
    source: str
    region: Any = None
    detail: Any = None


class _EventBridgeObject(msgspec.Struct):
    key: str
    etag: str | None = None
    etag_of_moto: str | None = msgspec.field(name="eTag", default=None)
    version: str | None = msgspec.field(name="version-id", default=None)
    size: Any = None


class _Detail(msgspec.Struct):
    bucket: AnnouncedBucket
    object: _EventBridgeObject


def read_event(value: dict[str, Any]) -> Notification:
    """Return the announced object; its key is literal."""
    event = convert(value, _EventBridgeEvent, "an EventBridge event")
    if event.kind.endswith("via CloudTrail"):
        refuse(f"EventBridge sends {quote(event.kind)}: a single record, which is not supported; "
               "send the notifications of CloudTrail or S3 for log files instead")  # fmt: skip
    if event.source == "aws.config":
        return Notification("eventbridge", no_log="aws-config")
    if event.source != "aws.s3":
        refuse(f"EventBridge sends {quote(event.kind)} of {quote(event.source)}, not of aws.s3")
    if event.kind in NON_CREATE:
        return Notification("eventbridge", no_log="s3-non-create", skipped={event.kind: 1})
    if event.kind != "Object Created":
        refuse(f"EventBridge sends {quote(event.kind)} of aws.s3, which is unknown")
    detail = convert(event.detail, _Detail, "detail")
    created = make_ref(
        "detail",
        detail.bucket.name,
        detail.object.key,
        version=detail.object.version,
        etag=detail.object.etag or detail.object.etag_of_moto,
        region=event.region,
        size=detail.object.size,
    )
    return Notification("eventbridge", (created,))
