"""Events as CloudTrail writes them, made up: the same for the same random numbers.

Fields follow "CloudTrail record contents" of the CloudTrail User Guide (eventVersion 1.11).
"""

import string
from collections.abc import Callable

from trailcourier.demo.scene import ROLES, Event, Scene, call, time


def event(scene: Scene) -> Event:
    """One event of any kind, as often as it is in a busy account."""
    kinds, weights = zip(*_KINDS, strict=True)
    make: Callable[[Scene], Event] = scene.rng.choices(kinds, weights)[0]
    return make(scene)


def insight(scene: Scene) -> Event:
    """Half of a CloudTrail Insights finding: no eventName at the top, no user."""
    return {
        "eventVersion": "1.11",
        "eventTime": time(scene),
        "awsRegion": scene.region,
        "eventID": scene.uuid(),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": scene.account,
        "sharedEventID": scene.uuid(),
        "insightDetails": {
            "state": scene.rng.choice(("Start", "End")),
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


def aggregated(scene: Scene) -> Event:
    """A five-minute summary of data events: ``eventId``, and no eventTime."""
    return {
        "eventVersion": "1.0",
        "eventType": "AwsAggregatedEvent",
        "eventCategory": "Aggregated",
        "eventId": scene.uuid(),
        "accountId": scene.account,
        "awsRegion": scene.region,
        "timeWindow": {
            "windowStart": time(scene),
            "windowEnd": time(scene),
            "windowSize": "PT5M",
        },
        "summary": {
            "primaryDimension": {
                "dimension": "eventName",
                "statistics": [{"name": "GetObject", "value": scene.rng.randrange(1, 10**6)}],
                "aggregationType": "Count",
            },
            "details": [],
        },
    }


def network(scene: Scene) -> Event:
    """A call through a VPC endpoint."""
    made = call(scene, "AWSAccount", "kms", "Decrypt", read=True)
    return made | {
        "eventType": "AwsVpceEvents",
        "eventCategory": "NetworkActivity",
        "vpcEndpointId": f"vpce-{scene.letters(17, '0123456789abcdef')}",
        "errorCode": "VpceAccessDenied",
    }


def _console_login(scene: Scene) -> Event:
    good = scene.rng.random() < 0.8
    made = call(scene, "IAMUser", "signin", "ConsoleLogin", read=False)
    made["eventType"] = "AwsConsoleSignIn"
    made["responseElements"] = {"ConsoleLogin": "Success" if good else "Failure"}
    made["additionalEventData"] = {"MobileVersion": "No", "MFAUsed": "Yes" if good else "No"}
    if not good:
        made["userIdentity"]["userName"] = "HIDDEN_DUE_TO_SECURITY_REASONS"
        made["userIdentity"]["accessKeyId"] = ""
        made["errorMessage"] = "Failed authentication"
    return made


def _assume_role(scene: Scene) -> Event:
    role = f"arn:aws:iam::{scene.account}:role/{scene.rng.choice(ROLES)}"
    asked = {"roleArn": role, "roleSessionName": "session"}
    who = scene.rng.choice(("AWSService", "AWSAccount", "IAMUser"))
    return call(scene, who, "sts", "AssumeRole", read=True, requestParameters=asked)


def _service_read(scene: Scene) -> Event:
    service, name = scene.rng.choice(
        (
            ("ec2", "DescribeInstances"),
            ("elasticloadbalancing", "DescribeTargetHealth"),
            ("s3", "GetBucketAcl"),
            ("autoscaling", "DescribeAutoScalingGroups"),
            ("kms", "DescribeKey"),
        )
    )
    made = call(scene, "AWSService", service, name, read=True)
    if scene.rng.random() < 0.1:
        made["errorCode"] = "Client.RequestLimitExceeded"
    return made


def _kms(scene: Scene) -> Event:
    key = f"arn:aws:kms:{scene.region}:{scene.account}:key/{scene.uuid()}"
    asked = {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": key}
    resources = [{"accountId": scene.account, "type": "AWS::KMS::Key", "ARN": key}]
    name = scene.rng.choice(("Decrypt", "GenerateDataKey"))
    who = scene.rng.choice(("AssumedRole", "AWSService"))
    return call(scene, who, "kms", name, read=True, requestParameters=asked, resources=resources)


def _describe(scene: Scene) -> Event:
    asked = {
        "instancesSet": {},
        "filterSet": {"items": [{"name": "tag:Größe", "value": "2xlarge"}]},
    }
    made = call(
        scene, "AssumedRole", "ec2", "DescribeInstances", read=True, requestParameters=asked
    )
    if scene.rng.random() < 0.2:
        made["errorCode"] = "Client.UnauthorizedOperation"
        made["errorMessage"] = "You are not authorized to perform this operation."
    return made


def _change(scene: Scene) -> Event:
    service, name = scene.rng.choice(
        (
            ("iam", "CreateUser"),
            ("iam", "AttachUserPolicy"),
            ("ec2", "AuthorizeSecurityGroupIngress"),
            ("s3", "PutBucketPolicy"),
            ("cloudtrail", "StopLogging"),
            ("lambda", "UpdateFunctionCode20150331v2"),
        )
    )
    # now and then long: a policy, a user data script
    text = scene.letters(scene.rng.choice((20, 200, 200, 20_000)), string.printable)
    who = scene.rng.choice(("IAMUser", "AssumedRole", "Root"))
    return call(scene, who, service, name, read=False, requestParameters={"document": text})


def _s3_data(scene: Scene) -> Event:
    name = scene.rng.choice(("GetObject", "PutObject", "HeadObject", "DeleteObject"))
    key = f"orders/2026/{scene.rng.randrange(10**8)} & more.json"
    made = call(scene, "AssumedRole", "s3", name, read=name in {"GetObject", "HeadObject"})
    made["managementEvent"] = False
    made["eventCategory"] = "Data"
    made["requestParameters"] = {"bucketName": "example-orders", "key": key}
    made["additionalEventData"] = {
        "bytesTransferredIn": 0.0,
        "bytesTransferredOut": scene.rng.choice((1.10, 2.5e3, 12_345_678_901_234_567_890)),
        "x-amz-id-2": scene.letters(40),
    }
    return made


def _lambda_data(scene: Scene) -> Event:
    function = f"arn:aws:lambda:{scene.region}:{scene.account}:function:orders"
    made = call(scene, "AWSService", "lambda", "Invoke", read=False)
    made["managementEvent"] = False
    made["eventCategory"] = "Data"
    made["requestParameters"] = {"functionName": function, "invocationType": "Event"}
    return made


_KINDS: tuple[tuple[Callable[[Scene], Event], int], ...] = (
    (_service_read, 28),
    (_s3_data, 20),
    (_describe, 14),
    (_kms, 12),
    (_assume_role, 12),
    (_change, 8),
    (_lambda_data, 4),
    (_console_login, 2),
)
