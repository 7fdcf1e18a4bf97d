"""The attributes of a queue, read by name.

AWS sends all of them.  A service that imitates SQS may leave one out or send it in another form:
that counts as not known, never as zero or empty.
"""

import json
from collections.abc import Mapping
from typing import Any

from trailcourier.aws.calls import AwsAnswer
from trailcourier.doctor.subject import Subject


class Attributes:
    """The attributes in the answer of GetQueueAttributes; empty if the call failed."""

    def __init__(self, answer: AwsAnswer) -> None:
        values = answer.response.get("Attributes") if answer.good else None
        self._values: Mapping[str, str] = values or {}

    def text(self, name: str) -> str:
        """Return the attribute *name*, or an empty string if the answer lacks it."""
        return self._values.get(name, "")

    def number(self, name: str) -> int | None:
        """Return the attribute *name* as a whole number, or None if it is not one."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdecimal() else None

    def table(self, name: str) -> Mapping[str, Any]:
        """Return the attribute *name* as a JSON object; empty if it is missing or not an object."""
        try:
            found = json.loads(self.text(name) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def arn(self, subject: Subject) -> str:
        """Return the queue's ARN; without that attribute, the ARN that the queue's URL implies."""
        return self.text("QueueArn") or subject.source.queue.arn
