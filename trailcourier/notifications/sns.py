"""Amazon SNS: the envelope around a message, and what SNS says of a subscription.

Signatures are not checked: whoever may send to the queue is the queue policy's to say.
"""

import re
import shlex
from typing import Any, NoReturn

import msgspec

from trailcourier.errors import Fault
from trailcourier.notifications.notice import refuse, shown

ENVELOPES = 3  # taken off one message, at most

_ASKS = {
    "SubscriptionConfirmation": "SNS asks to confirm the subscription to",
    "UnsubscribeConfirmation": "SNS says that somebody ended the subscription to",
}
_TOPIC = re.compile(
    r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]{1,32}):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?",
    re.ASCII,
)
_TOKEN = re.compile(r"[!-,.-~][!-~]{0,2047}")  # no "-" first, which would read as an option


def parsed(text: str) -> dict[str, Any]:
    """Return the JSON object *text* is."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:  # ValueError: also text that is no Unicode
        refuse(f"no JSON ({shown(str(error))}); it begins with {shown(text, 40)}")
    if not isinstance(value, dict):
        refuse(f"JSON, but no object; it begins with {shown(text, 40)}")
    return value


def inside(envelope: dict[str, Any]) -> str:
    """Return the text an envelope holds."""
    message = envelope.get("Message")
    if not isinstance(message, str):
        refuse(f"an SNS envelope whose Message is {shown(message)} and no text")
    return message


def subscription(value: dict[str, Any]) -> NoReturn:
    """Refuse what SNS says of a subscription: to confirm it is for a person to decide."""
    asks = _asks(value)
    if not asks:
        refuse(f"SNS sends a message of the Type {shown(value.get('Type'))}")
    raise Fault("subscription", f"{asks} {shown(value['TopicArn'], 300)}")


def topic(body: str) -> str:
    """Return the ARN of the topic that *body* says it came through; empty where it says none."""
    if '"TopicArn"' not in body:
        return ""
    try:
        arn = parsed(body).get("TopicArn")
    except Fault:
        return ""
    return arn if isinstance(arn, str) and _TOPIC.fullmatch(arn) else ""


def confirm_command(body: str) -> str | None:
    """Return the AWS CLI line that confirms the subscription *body* asks for, if it asks."""
    try:
        value = parsed(body)
    except Fault:
        return None
    topic, token = value.get("TopicArn"), value.get("Token")
    if not _asks(value) or not isinstance(topic, str) or not isinstance(token, str):
        return None
    arn = _TOPIC.fullmatch(topic)
    if not arn or not _TOKEN.fullmatch(token):
        return None
    words = ["--topic-arn", topic, "--token", token, "--region", arn["region"]]
    return shlex.join(["aws", "sns", "confirm-subscription", *words])


def _asks(value: dict[str, Any]) -> str | None:
    kind = value.get("Type")
    return _ASKS.get(kind) if isinstance(kind, str) else None
