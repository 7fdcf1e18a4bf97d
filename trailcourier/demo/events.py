"""Simulated events as CloudTrail writes them: the same for the same random numbers.

Fields follow "CloudTrail record contents" of the CloudTrail User Guide (eventVersion 1.11).
"""

import string
from collections.abc import Callable

from trailcourier.demo.event_context import ROLES, Event, EventContext, api_call, event_time


def event(context: EventContext) -> Event:
    """Return one event; kinds are as frequent as in a busy account."""
    kinds, weights = zip(*_KINDS, strict=True)
    create: Callable[[EventContext], Event] = context.rng.choices(kinds, weights)[0]
    return create(context)


def insight(context: EventContext) -> Event:
    """Half of a CloudTrail Insights finding: no eventName at the top, no user."""
    return {
        "eventVersion": "1.11",
        "eventTime": event_time(context),
        "awsRegion": context.region,
        "eventID": context.uuid(),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": context.account,
        "sharedEventID": context.uuid(),
        "insightDetails": {
            "state": context.rng.choice(("Start", "End")),
            "eventSource": "ec2.amazonaws.com",
            "eventName": "RunInstances",
            "insightType": "ApiCallRateInsight",
            "insightContext": {
                "statistics": {
                    "baseline": {"average": 0.0020833333},
                    "insight": {"average": 3.0},
                    "insightDuration": 4,
                    "baselineDuration": 10_080,
                }
            },
        },
        "eventCategory": "Insight",
    }


def aggregated(context: EventContext) -> Event:
    """A five-minute summary of data events: ``eventId``, and no eventTime."""
    return {
        "eventVersion": "1.0",
        "eventType": "AwsAggregatedEvent",
        "eventCategory": "Aggregated",
        "eventId": context.uuid(),
        "accountId": context.account,
        "awsRegion": context.region,
        "timeWindow": {
            "windowStart": event_time(context),
            "windowEnd": event_time(context),
            "windowSize": "PT5M",
        },
        "summary": {
            "primaryDimension": {
                "dimension": "eventName",
                "statistics": [{"name": "GetObject", "value": context.rng.randrange(1, 10**6)}],
                "aggregationType": "Count",
            },
            "details": [],
        },
    }


def network(context: EventContext) -> Event:
    """A call through a VPC endpoint."""
    made = api_call(context, "AWSAccount", "kms", "Decrypt", read=True)
    return made | {
        "eventType": "AwsVpceEvents",
        "eventCategory": "NetworkActivity",
        "vpcEndpointId": f"vpce-{context.letters(17, '0123456789abcdef')}",
        "errorCode": "VpceAccessDenied",
    }


def _console_login(context: EventContext) -> Event:
    succeeded = context.rng.random() < 0.8
    made = api_call(context, "IAMUser", "signin", "ConsoleLogin", read=False)
    made["eventType"] = "AwsConsoleSignIn"
    made["responseElements"] = {"ConsoleLogin": "Success" if succeeded else "Failure"}
    made["additionalEventData"] = {"MobileVersion": "No", "MFAUsed": "Yes" if succeeded else "No"}
    if not succeeded:
        made["userIdentity"]["userName"] = "HIDDEN_DUE_TO_SECURITY_REASONS"
        made["userIdentity"]["accessKeyId"] = ""
        made["errorMessage"] = "Failed authentication"
    return made


def _assume_role(context: EventContext) -> Event:
    role = f"arn:aws:iam::{context.account}:role/{context.rng.choice(ROLES)}"
    parameters = {"roleArn": role, "roleSessionName": "session"}
    identity_type = context.rng.choice(("AWSService", "AWSAccount", "IAMUser"))
    return api_call(
        context, identity_type, "sts", "AssumeRole", read=True, requestParameters=parameters
    )


def _service_read(context: EventContext) -> Event:
    service, name = context.rng.choice(
        (
            ("ec2", "DescribeInstances"),
            ("elasticloadbalancing", "DescribeTargetHealth"),
            ("s3", "GetBucketAcl"),
            ("autoscaling", "DescribeAutoScalingGroups"),
            ("kms", "DescribeKey"),
        )
    )
    made = api_call(context, "AWSService", service, name, read=True)
    if context.rng.random() < 0.1:
        made["errorCode"] = "Client.RequestLimitExceeded"
    return made


def _kms(context: EventContext) -> Event:
    key = f"arn:aws:kms:{context.region}:{context.account}:key/{context.uuid()}"
    parameters = {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": key}
    resources = [{"accountId": context.account, "type": "AWS::KMS::Key", "ARN": key}]
    name = context.rng.choice(("Decrypt", "GenerateDataKey"))
    identity_type = context.rng.choice(("AssumedRole", "AWSService"))
    return api_call(
        context,
        identity_type,
        "kms",
        name,
        read=True,
        requestParameters=parameters,
        resources=resources,
    )


def _describe(context: EventContext) -> Event:
    parameters = {
        "instancesSet": {},
        "filterSet": {"items": [{"name": "tag:Größe", "value": "2xlarge"}]},
    }
    made = api_call(
        context, "AssumedRole", "ec2", "DescribeInstances", read=True, requestParameters=parameters
    )
    if context.rng.random() < 0.2:
        made["errorCode"] = "Client.UnauthorizedOperation"
        made["errorMessage"] = "You are not authorized to perform this operation."
    return made


def _change(context: EventContext) -> Event:
    service, name = context.rng.choice(
        (
            ("iam", "CreateUser"),
            ("iam", "AttachUserPolicy"),
            ("ec2", "AuthorizeSecurityGroupIngress"),
            ("s3", "PutBucketPolicy"),
            ("cloudtrail", "StopLogging"),
            ("lambda", "UpdateFunctionCode20150331v2"),
        )
    )
    # sometimes long, as a policy or a user data script is
    text = context.letters(context.rng.choice((20, 200, 200, 20_000)), string.printable)
    identity_type = context.rng.choice(("IAMUser", "AssumedRole", "Root"))
    return api_call(
        context, identity_type, service, name, read=False, requestParameters={"document": text}
    )


def _s3_data(context: EventContext) -> Event:
    name = context.rng.choice(("GetObject", "PutObject", "HeadObject", "DeleteObject"))
    key = f"orders/2026/{context.rng.randrange(10**8)} & more.json"
    made = api_call(context, "AssumedRole", "s3", name, read=name in {"GetObject", "HeadObject"})
    made["managementEvent"] = False
    made["eventCategory"] = "Data"
    made["requestParameters"] = {"bucketName": "example-orders", "key": key}
    made["additionalEventData"] = {
        "bytesTransferredIn": 0.0,
        "bytesTransferredOut": context.rng.choice((1.10, 2.5e3, 12_345_678_901_234_567_890)),
        "x-amz-id-2": context.letters(40),
    }
    return made


def _lambda_data(context: EventContext) -> Event:
    function = f"arn:aws:lambda:{context.region}:{context.account}:function:orders"
    made = api_call(context, "AWSService", "lambda", "Invoke", read=False)
    made["managementEvent"] = False
    made["eventCategory"] = "Data"
    made["requestParameters"] = {"functionName": function, "invocationType": "Event"}
    return made


_KINDS: tuple[tuple[Callable[[EventContext], Event], int], ...] = (
    (_service_read, 28),
    (_s3_data, 20),
    (_describe, 14),
    (_kms, 12),
    (_assume_role, 12),
    (_change, 8),
    (_lambda_data, 4),
    (_console_login, 2),
)
