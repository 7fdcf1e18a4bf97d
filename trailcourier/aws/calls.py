"""One call to AWS as data: how it is made, which permissions it needs, and its answer.

Most IAM actions have the name of the API operation; the exceptions are those of AWS's service
authorization reference.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from botocore import xform_name
from botocore.exceptions import ClientError

from trailcourier.aws import faults
from trailcourier.errors import Fault

_PREFIXES = {"resourcegroupstaggingapi": "tag"}  # service -> the prefix of its actions
_ACTIONS = {  # API operation -> IAM action, where the names differ
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
}
_ADDITIONAL_ACTIONS = {  # API operation -> the further action that it needs
    "s3:CreateBucket": "s3:TagResource",
    "sqs:CreateQueue": "sqs:TagQueue",
    "sns:CreateTopic": "sns:TagResource",
    "cloudtrail:CreateTrail": "cloudtrail:AddTags",
    "events:PutRule": "events:TagResource",
    "kms:CreateKey": "kms:TagResource",
    "iam:CreateUser": "iam:TagUser",
    "iam:CreateRole": "iam:TagRole",
    "iam:CreateInstanceProfile": "iam:TagInstanceProfile",
    "iam:AddRoleToInstanceProfile": "iam:PassRole",
}
# CloudTrail makes its role in the management account with the caller's permissions:
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-an-organizational-trail-prepare.html
_ORGANIZATION_TRAIL = (
    "iam:GetRole",
    "iam:CreateServiceLinkedRole",
    "organizations:DescribeOrganization",
    "organizations:ListAWSServiceAccessForOrganization",
)
_DENIED = frozenset({"access-denied", "queue-denied"})


class AwsCall(msgspec.Struct, frozen=True):
    """A call with AWS's names for the *operation* and its *parameters*.

    *resource* is the ARN that a policy has to allow it on. *outputs* maps names to the JMESPaths of
    the values in the answer that later calls need.
    """

    service: str
    operation: str
    region: str = ""
    resource: str = ""
    parameters: Mapping[str, Any] = {}
    outputs: Mapping[str, str] = {}

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def method(self) -> str:
        """The name of the boto3 client's method."""
        return xform_name(self.operation)

    @property
    def action(self) -> str:
        """The main IAM action that the call needs."""
        name = f"{_PREFIXES.get(self.service, self.service)}:{self.operation}"
        return _ACTIONS.get(name, name)

    @property
    def actions(self) -> tuple[str, ...]:
        """Every IAM action that the call needs."""
        additional = _ADDITIONAL_ACTIONS.get(str(self))
        found = (self.action, additional) if additional else (self.action,)
        if self.parameters.get("IsOrganizationTrail"):
            return (*found, *_ORGANIZATION_TRAIL)
        return found

    @property
    def permission(self) -> str:
        """The permission that the call needs, in words."""
        return f"{self.action} on {self.resource}" if self.resource else self.action


class AwsAnswer(msgspec.Struct, frozen=True):
    """The outcome of a call: the *response*, or a *fault*, with the error *codes* AWS sent.

    If the call was not made, *blocked_by* says what prevented it, and there is neither. *received*
    is this machine's time when the answer came.
    """

    call: AwsCall
    response: Mapping[str, Any] = {}
    fault: Fault | None = None
    codes: frozenset[str] = frozenset()
    blocked_by: str = ""
    received: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))

    @property
    def good(self) -> bool:
        return self.fault is None and not self.blocked_by

    @property
    def denied(self) -> bool:
        return self.fault is not None and self.fault.reason in _DENIED

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the HTTP response."""
        found: Mapping[str, str] = self.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return found

    @property
    def bucket_region(self) -> str:
        """The bucket's region, which S3 names even to a caller whom it denies; empty if unknown."""
        return str(self.headers.get("x-amz-bucket-region") or self.response.get("BucketRegion", ""))

    @property
    def skew(self) -> float | None:
        """Seconds by which this machine's clock is ahead of AWS's; None without a date."""
        try:
            aws_time = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return (self.received - aws_time).total_seconds() if aws_time.tzinfo else None


def make(call: AwsCall, open_client: Callable[[], Any], *, all_pages: bool = False) -> AwsAnswer:
    """Make *call* with the boto3 client that *open_client* returns; return AWS's answer.

    With *all_pages* the response holds every page of an operation that has several.
    """
    try:
        client = open_client()
        if all_pages and client.can_paginate(call.method):
            pages = client.get_paginator(call.method).paginate(**call.parameters)
            return AwsAnswer(call, pages.build_full_result())
        return AwsAnswer(call, getattr(client, call.method)(**call.parameters))
    except faults.AWS_ERRORS as error:
        return failure(call, error)


def failure(call: AwsCall, error: Exception) -> AwsAnswer:
    """Return the answer for *error*, one of ``aws.faults.AWS_ERRORS``."""
    where = "queue" if call.service == "sqs" else call.resource
    fault = faults.to_fault(error, what=call.permission, where=where)
    if not isinstance(error, ClientError):
        return AwsAnswer(call, fault=fault)
    return AwsAnswer(call, error.response, fault, faults.codes(error))
