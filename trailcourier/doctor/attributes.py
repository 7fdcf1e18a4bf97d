"""What a queue says of itself, by name.

AWS says all of it.  A service that is only like SQS leaves out what it does not know, or says it in
a form of its own; that is taken for not said, and never for nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from trailcourier.doctor.call import Answer
from trailcourier.doctor.subject import Subject


class Attributes:
    """The attributes in one answer; none in one that is not good."""

    def __init__(self, answer: Answer) -> None:
        told = answer.said.get("Attributes") if answer.good else None
        self._told: Mapping[str, str] = told or {}

    def text(self, name: str) -> str:
        """What is said under *name*; empty where nothing is."""
        return self._told.get(name, "")

    def number(self, name: str) -> int | None:
        """The whole number under *name*; None where it is not said."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdecimal() else None

    def table(self, name: str) -> Mapping[str, Any]:
        """The JSON object under *name*; empty where nothing is said or it is something else."""
        try:
            found = json.loads(self.text(name) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def arn(self, subject: Subject) -> str:
        """The queue's ARN; the one that its URL says where it does not say it itself."""
        return self.text("QueueArn") or subject.source.queue.arn
