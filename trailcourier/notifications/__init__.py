"""Decodes notifications; recognises the format of each by its content, never by configuration.

These formats announce log files:

``cloudtrail``   CloudTrail's own notification; keys are literal
``s3``           an S3 event notification, version 2; keys are form-encoded
``eventbridge``  "Object Created" of S3 through EventBridge; keys are literal

NO_LOG lists the kinds of messages that are known to announce none.

A message comes bare (also by SNS raw delivery), inside an Amazon SNS envelope, or inside several
(EventBridge to SNS to SQS).  Its *shape* names the envelopes and the format: ``sns/sns/s3``.

A notification is not understood if it fits no format completely, has the keys of two formats, or
has one bad entry among good ones.  It then stays in the queue, so that nothing it may announce is
lost.
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

# by the JSON key that identifies the format: it occurs in no other, but see _identify
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
            key = _identify(value)
            if key != "TopicArn" or value.get("Type") != "Notification":
                return _with_path(_READERS[key](value), path, max_objects)
            path, text = f"{path}sns/", sns.unwrap(value)
        refuse(f"more than {sns.ENVELOPES} nested SNS envelopes")
    except Fault as fault:
        where = f"inside {path.rstrip('/')}: " if path else ""
        raise Fault(fault.reason, where + fault.detail) from None


def _identify(value: dict[str, Any]) -> str:
    """Return the key that identifies the format of *value*."""
    keys = [key for key in _READERS if key in value]
    # AWS Config's delivery notices also have s3ObjectKey, but as a text, never as a list
    if "messageType" in keys and isinstance(value.get("s3ObjectKey"), str):
        keys.remove("s3ObjectKey")
    if len(keys) != 1:
        what = "has the keys of several formats" if keys else "has no key of a known format"
        first = ", ".join(quote(each, 30) for each in list(value)[:5])
        refuse(f"an object that {what}; it begins with the keys {first or '(none)'}")
    return keys[0]


def _with_path(notice: Notification, path: str, max_objects: int) -> Notification:
    """Put the envelopes' *path* before the shape; raise Fault for more than *max_objects*."""
    if len(notice.objects) > max_objects:
        count = len(notice.objects)
        raise Fault(
            "too-many-objects",
            f"the message names {count} objects; at most {max_objects} are allowed",
        )
    return msgspec.structs.replace(notice, shape=path + notice.shape)
