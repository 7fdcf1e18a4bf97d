"""One call to AWS, and its answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from trailcourier.aws import faults
from trailcourier.errors import Fault

DENIED = frozenset({"access-denied", "queue-denied"})


class AwsCall(msgspec.Struct, frozen=True):
    """The method *operation* of boto3's client for *service* in *region*, with *parameters*.

    *action* is its IAM action, *resource* the ARN that a policy has to allow it on.
    """

    service: str
    operation: str
    region: str
    action: str
    resource: str
    parameters: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


class AwsAnswer(msgspec.Struct, frozen=True):
    """The outcome of a call: the *response*, or a *fault*, with the error *codes* AWS sent.

    If the call was not made, *blocked_by* is the id of the finding that says why, and there is
    neither.  *headers* are those of the HTTP answer; *asked_at* is this machine's time then.
    """

    call: AwsCall
    response: Mapping[str, Any] = {}
    fault: Fault | None = None
    codes: frozenset[str] = frozenset()
    blocked_by: str = ""
    headers: Mapping[str, str] = {}
    asked_at: datetime | None = None

    @property
    def good(self) -> bool:
        return self.fault is None and not self.blocked_by

    @property
    def denied(self) -> bool:
        return self.fault is not None and self.fault.reason in DENIED

    @property
    def skew(self) -> float | None:
        """Seconds by which this machine's clock is ahead of AWS's; None without a date."""
        try:
            aws_time = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        if self.asked_at is None or aws_time.tzinfo is None:
            return None
        return (self.asked_at - aws_time).total_seconds()


def success_answer(call: AwsCall, response: Mapping[str, Any]) -> AwsAnswer:
    """Return the answer for a *response* of boto3."""
    return AwsAnswer(call, response, headers=_headers(response), asked_at=datetime.now(UTC))


def failure_answer(call: AwsCall, error: Exception) -> AwsAnswer:
    """Return the answer for *error*, one of ``aws.faults.AWS_ERRORS``."""
    where = "queue" if call.service == "sqs" else call.resource
    fault = faults.to_fault(error, what=str(call), where=where)
    if not isinstance(error, ClientError):
        return AwsAnswer(call, fault=fault)
    return AwsAnswer(
        call,
        response=error.response,
        fault=fault,
        codes=faults.codes(error),
        headers=_headers(error.response),
        asked_at=datetime.now(UTC),
    )


def _headers(response: Any) -> Mapping[str, str]:
    headers: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
