"""What a message in the queue announces, told by its shape and never by configuration.

Shapes, each bare, inside an Amazon SNS envelope, or inside several (EventBridge to SNS to SQS;
SNS raw delivery is bare):

``cloudtrail``   CloudTrail's own notice; keys are literal
``s3``           an S3 event notification, version 2; keys are form-encoded
``eventbridge``  "Object Created" of S3 through EventBridge; keys are literal

A message that fits none of them whole, has the marks of two, or has one bad entry among good ones
is not understood: it stays in the queue, so nothing it may announce is lost unseen.  What
positively announces no log is in UNREAD.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from trailcourier.errors import Fault
from trailcourier.notifications import aws_config, cloudtrail, eventbridge, s3, sns
from trailcourier.notifications.notice import UNREAD, Notification, refuse, shown

__all__ = ["UNREAD", "Notification", "decode", "subscription_confirm_command", "topic"]

subscription_confirm_command = sns.confirm_command
topic = sns.topic

# Each key stands in one shape only.
_READERS: dict[str, Callable[[dict[str, Any]], Notification]] = {
    "Event": s3.test,
    "Records": s3.event,
    "TopicArn": sns.subscription,
    "detail-type": eventbridge.event,
    "messageType": aws_config.notice,
    "s3ObjectKey": cloudtrail.notice,
}


def decode(body: str, *, most: int = 5000) -> Notification:
    """Say what *body* announces; more than *most* objects are too many.

    Raises Fault, and nothing else for any text: ``not-understood``, ``subscription`` or
    ``too-many-objects``, with the place and a short, escaped piece of what is wrong.
    """
    path, text = "", body
    try:
        for _ in range(sns.ENVELOPES + 1):
            if text.strip() == cloudtrail.VALIDATION:
                return Notification(f"{path}cloudtrail-validation", unread="cloudtrail-validation")
            value = sns.parsed(text)
            mark = _mark(value)
            if mark != "TopicArn" or value.get("Type") != "Notification":
                return _labelled(_READERS[mark](value), path, most)
            path, text = f"{path}sns/", sns.inside(value)
        refuse(f"more than {sns.ENVELOPES} SNS envelopes inside each other")
    except Fault as fault:
        where = f"inside {path.rstrip('/')}: " if path else ""
        raise Fault(fault.reason, where + fault.detail) from None


def _mark(value: dict[str, Any]) -> str:
    """Return the key by which the shape of *value* is known."""
    marks = [mark for mark in _READERS if mark in value]
    # AWS Config's notices of a delivery name their file as CloudTrail's do, but never in a list.
    if "messageType" in marks and isinstance(value.get("s3ObjectKey"), str):
        marks.remove("s3ObjectKey")
    if len(marks) != 1:
        what = "has the marks of several shapes" if marks else "has the mark of no known shape"
        some = ", ".join(shown(key, 30) for key in list(value)[:5])
        refuse(f"an object that {what}; it begins with the keys {some or '(none)'}")
    return marks[0]


def _labelled(notice: Notification, path: str, most: int) -> Notification:
    if len(notice.objects) > most:
        count = len(notice.objects)
        raise Fault("too-many-objects", f"the message names {count} objects; {most} are taken")
    return msgspec.structs.replace(notice, shape=path + notice.shape)
