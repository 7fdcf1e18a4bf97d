"""Amazon SNS: the envelope around a message, and SNS's messages about a subscription.

Signatures are not checked: the queue's policy decides who may send to it.
"""

import re
import shlex
from typing import Any, NoReturn

import msgspec

from trailcourier.errors import Fault
from trailcourier.notifications.notice import quote, refuse

ENVELOPES = 3  # nested around one message, at most

_SUBSCRIPTION_TYPES = {
    "SubscriptionConfirmation": "SNS asks to confirm the subscription to",
    "UnsubscribeConfirmation": "SNS reports that somebody ended the subscription to",
}
_TOPIC = re.compile(
    r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]{1,32}):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?",
    re.ASCII,
)
_TOKEN = re.compile(
    r"[!-,.-~][!-~]{0,2047}"
)  # not with a leading "-", which the AWS CLI reads as an option


def parse_object(text: str) -> dict[str, Any]:
    """Parse *text* as a JSON object."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:  # ValueError: also for invalid Unicode
        refuse(f"not JSON ({quote(str(error))}); it begins with {quote(text, 40)}")
    if not isinstance(value, dict):
        refuse(f"JSON, but not an object; it begins with {quote(text, 40)}")
    return value


def unwrap(envelope: dict[str, Any]) -> str:
    """Return the message inside *envelope*."""
    message = envelope.get("Message")
    if not isinstance(message, str):
        refuse(f"an SNS envelope whose Message is {quote(message)}, not a text")
    return message


def refuse_subscription(value: dict[str, Any]) -> NoReturn:
    """Refuse a message about a subscription: whether to confirm it is a person's decision."""
    request = _subscription_request(value)
    if not request:
        refuse(f"SNS sends a message of unknown Type {quote(value.get('Type'))}")
    raise Fault("subscription", f"{request} {quote(value['TopicArn'], 300)}")


def topic_arn(body: str) -> str:
    """Return the ARN of the topic that *body* names as its own; empty if it names none."""
    if '"TopicArn"' not in body:
        return ""
    try:
        arn = parse_object(body).get("TopicArn")
    except Fault:
        return ""
    return arn if isinstance(arn, str) and _TOPIC.fullmatch(arn) else ""


def confirm_command(body: str) -> str | None:
    """Return the AWS CLI command that confirms the subscription in *body*; None without one."""
    try:
        value = parse_object(body)
    except Fault:
        return None
    topic, token = value.get("TopicArn"), value.get("Token")
    if not _subscription_request(value) or not isinstance(topic, str) or not isinstance(token, str):
        return None
    arn = _TOPIC.fullmatch(topic)
    if not arn or not _TOKEN.fullmatch(token):
        return None
    words = ["--topic-arn", topic, "--token", token, "--region", arn["region"]]
    return shlex.join(["aws", "sns", "confirm-subscription", *words])


def _subscription_request(value: dict[str, Any]) -> str | None:
    kind = value.get("Type")
    return _SUBSCRIPTION_TYPES.get(kind) if isinstance(kind, str) else None
