"""S3's events through EventBridge: "EventBridge event message structure" of the S3 User Guide."""

from typing import Any

import msgspec

from trailcourier.notifications.notice import Named, Notification, converted, ref, refuse, shown

NON_CREATE = frozenset(  # of S3; one that is new is not understood rather than skipped
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


class _Event(msgspec.Struct):
    kind: str = msgspec.field(name="detail-type")
    source: str
    region: Any = None
    detail: Any = None


class _Object(msgspec.Struct):
    key: str
    etag: str | None = None
    etag_of_moto: str | None = msgspec.field(name="eTag", default=None)
    version: str | None = msgspec.field(name="version-id", default=None)
    size: Any = None


class _Detail(msgspec.Struct):
    bucket: Named
    object: _Object


def event(value: dict[str, Any]) -> Notification:
    """Return the object an event announces; its key is literal."""
    said = converted(value, _Event, "an EventBridge event")
    if said.kind.endswith("via CloudTrail"):
        refuse(f"EventBridge sends {shown(said.kind)}: one event, which is not supported; a file "
               "is announced by CloudTrail's own notice or by S3")  # fmt: skip
    if said.source == "aws.config":
        return Notification("eventbridge", unread="aws-config")
    if said.source != "aws.s3":
        refuse(f"EventBridge sends {shown(said.kind)} of {shown(said.source)}, not of aws.s3")
    if said.kind in NON_CREATE:
        return Notification("eventbridge", unread="s3-non-create", skipped={said.kind: 1})
    if said.kind != "Object Created":
        refuse(f"EventBridge sends {shown(said.kind)} of aws.s3, which is unknown")
    detail = converted(said.detail, _Detail, "detail")
    created = ref(
        "detail",
        detail.bucket.name,
        detail.object.key,
        version=detail.object.version,
        etag=detail.object.etag or detail.object.etag_of_moto,
        region=said.region,
        size=detail.object.size,
    )
    return Notification("eventbridge", (created,))
