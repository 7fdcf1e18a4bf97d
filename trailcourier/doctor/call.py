"""One question to AWS and what came of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from trailcourier import aws
from trailcourier.errors import Fault

DENIED = frozenset({"access-denied", "queue-denied"})


class Call(msgspec.Struct, frozen=True):
    """*operation* of boto3's client of *service* in *region*.

    *action* is what IAM calls it, *resource* the ARN it is allowed on.
    """

    service: str
    operation: str
    region: str
    action: str
    resource: str
    given: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


class Answer(msgspec.Struct, frozen=True):
    """What a call came to: *said*, or the *fault*, with *codes* where AWS gave one.

    *behind* is the id of the finding that kept it from being asked at all; then there is neither.
    *clock* is AWS's, as its answer carried it, and *asked* ours then.
    """

    call: Call
    said: Mapping[str, Any] = {}
    fault: Fault | None = None
    codes: frozenset[str] = frozenset()
    behind: str = ""
    headers: Mapping[str, str] = {}
    asked: datetime | None = None

    @property
    def good(self) -> bool:
        return self.fault is None and not self.behind

    @property
    def denied(self) -> bool:
        return self.fault is not None and self.fault.reason in DENIED

    @property
    def skew(self) -> float | None:
        """By how many seconds our clock is ahead of AWS's; None where the answer had no date."""
        try:
            theirs = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        if self.asked is None or theirs.tzinfo is None:
            return None
        return (self.asked - theirs).total_seconds()


def answered(call: Call, said: Mapping[str, Any]) -> Answer:
    """Return the answer that *said* is."""
    return Answer(call, said, headers=_headers(said), asked=datetime.now(UTC))


def failed(call: Call, error: Exception) -> Answer:
    """Return the answer that *error*, one of ``aws.ERRORS``, is."""
    where = "queue" if call.service == "sqs" else call.resource
    fault = aws.fault(error, what=str(call), where=where)
    if not isinstance(error, ClientError):
        return Answer(call, fault=fault)
    return Answer(
        call,
        said=error.response,
        fault=fault,
        codes=aws.codes(error),
        headers=_headers(error.response),
        asked=datetime.now(UTC),
    )


def _headers(said: Any) -> Mapping[str, str]:
    headers: Mapping[str, str] = said.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
