"""Decodes notifications; recognises each by its shape, never by configuration.

A shape may come bare (SNS raw delivery is), inside an Amazon SNS envelope, or inside several
(EventBridge to SNS to SQS):

``cloudtrail``   CloudTrail's own notification; keys are literal
``s3``           an S3 event notification, version 2; keys are form-encoded
``eventbridge``  "Object Created" of S3 through EventBridge; keys are literal

A notification is not understood if it fits no shape completely, has the marks of two shapes, or
has one bad entry among good ones.  It then stays in the queue, so that nothing it may announce is
lost.  NO_LOG lists the kinds that positively announce no log.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from trailcourier.errors import Fault
from trailcourier.notifications import aws_config, cloudtrail, eventbridge, s3, sns
from trailcourier.notifications.notice import NO_LOG, Notification, quote, refuse

__all__ = ["NO_LOG", "Notification", "decode", "subscription_confirm_command", "topic_arn"]

subscription_confirm_command = sns.confirm_command
topic_arn = sns.topic_arn

# the key that marks each shape; it occurs in no other shape
_READERS: dict[str, Callable[[dict[str, Any]], Notification]] = {
    "Event": s3.read_test_event,
    "Records": s3.read_event,
    "TopicArn": sns.refuse_subscription,
    "detail-type": eventbridge.read_event,
    "messageType": aws_config.read_notice,
    "s3ObjectKey": cloudtrail.read_notice,
}


def decode(body: str, *, max_objects: int = 5000) -> Notification:
    """Decode the message body *body*.

    For any text, raises only Fault: ``not-understood``, ``subscription``, or ``too-many-objects``
    for more than *max_objects*.  The detail names the place and quotes a short, escaped excerpt.
    """
    path, text = "", body
    try:
        for _ in range(sns.ENVELOPES + 1):
            if text.strip() == cloudtrail.VALIDATION:
                return Notification(f"{path}cloudtrail-validation", no_log="cloudtrail-validation")
            value = sns.parse_object(text)
            mark = _find_mark(value)
            if mark != "TopicArn" or value.get("Type") != "Notification":
                return _with_path(_READERS[mark](value), path, max_objects)
            path, text = f"{path}sns/", sns.unwrap(value)
        refuse(f"more than {sns.ENVELOPES} nested SNS envelopes")
    except Fault as fault:
        where = f"inside {path.rstrip('/')}: " if path else ""
        raise Fault(fault.reason, where + fault.detail) from None


def _find_mark(value: dict[str, Any]) -> str:
    """Return the key that marks the shape of *value*."""
    marks = [mark for mark in _READERS if mark in value]
    # AWS Config's delivery notices also have s3ObjectKey, but as a text, never as a list
    if "messageType" in marks and isinstance(value.get("s3ObjectKey"), str):
        marks.remove("s3ObjectKey")
    if len(marks) != 1:
        what = "has the marks of several shapes" if marks else "has no mark of a known shape"
        first = ", ".join(quote(key, 30) for key in list(value)[:5])
        refuse(f"an object that {what}; it begins with the keys {first or '(none)'}")
    return marks[0]


def _with_path(notice: Notification, path: str, max_objects: int) -> Notification:
    if len(notice.objects) > max_objects:
        count = len(notice.objects)
        raise Fault(
            "too-many-objects",
            f"the message names {count} objects; at most {max_objects} are allowed",
        )
    return msgspec.structs.replace(notice, shape=path + notice.shape)
