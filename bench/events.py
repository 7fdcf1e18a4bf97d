"""CloudTrail records for the bench: varied as real ones are, the same for the same seed.

As in a real file, a few principals make all the calls, every call has ids of its own, most are
reads by roles, and a fifth are reads that AWS's own services made.
"""

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

Record = dict[str, Any]

ACCOUNT = "111122223333"
ROLES = ("deploy", "ci-runner", "data-export", "ReadOnlyAudit", "eks-node-group", "lambda-thumbs")
PEOPLE = ("ana", "bo.li", "chidi", "d.okafor", "ewa", "f.rossi")
AGENTS = (
    "aws-cli/2.27.41 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0-1021-aws md/arch#x86_64",
    "Boto3/1.38.27 md/Botocore#1.38.27 ua/2.1 os/linux#5.10.236 md/arch#aarch64",
    "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.3 md/GOOS#linux md/GOARCH#amd64",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Safari/537.36",
)
READS = (
    ("ec2", "DescribeInstances"), ("ec2", "DescribeSecurityGroups"), ("s3", "GetBucketAcl"),
    ("autoscaling", "DescribeAutoScalingGroups"), ("rds", "DescribeDBInstances"),
    ("elasticloadbalancing", "DescribeTargetHealth"), ("logs", "DescribeLogGroups"),
)  # fmt: skip
SERVICES = ("config", "trustedadvisor", "cloudtrail", "resource-explorer-2")


class Cast(NamedTuple):
    """Who makes the calls of one file, and where from."""

    rng: random.Random
    roles: list[Record]
    people: list[Record]
    addresses: list[str]
    subnets: list[Record]
    sessions: list[str]


def log_file(events: int, seed: int = 1) -> bytes:
    """A log file as CloudTrail stores it: gzip, one line, one envelope."""
    records = ",".join(
        json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        for record in _records(events, random.Random(seed))
    )
    return gzip.compress(f'{{"Records":[{records}]}}'.encode(), mtime=0)


def _records(events: int, rng: random.Random) -> Iterator[Record]:
    cast = Cast(
        rng,
        roles=[_role(rng) for _ in range(min(40, 4 + events // 20))],
        people=[_person(rng, name) for name in PEOPLE],
        addresses=[f"203.0.113.{rng.randint(1, 254)}" for _ in range(20)],
        subnets=[{"value": f"subnet-{_hex(rng, 17)}"} for _ in range(12)],
        sessions=[f"GitHubActions-{_hex(rng, 10)}" for _ in range(30)],
    )
    kinds = (_service_read, _assume_role, _describe, _denied, _put_policy, _object_read, _sign_in)
    for kind in rng.choices(kinds, weights=(20, 14, 38, 6, 6, 14, 2), k=events):
        yield kind(cast)


def _hex(rng: random.Random, digits: int) -> str:
    return f"{rng.getrandbits(digits * 4):0{digits}x}"


def _uuid(rng: random.Random) -> str:
    text = _hex(rng, 32)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _id(rng: random.Random, prefix: str) -> str:
    return prefix + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))


def _time(rng: random.Random) -> str:
    """A time in the five minutes that one file covers."""
    return f"2026-11-28T20:0{rng.randint(5, 9)}:{rng.randint(0, 59):02}Z"


def _role(rng: random.Random) -> Record:
    name, session, principal = rng.choice(ROLES), f"i-{_hex(rng, 17)}", _id(rng, "AROA")
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": _id(rng, "ASIA"),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"creationDate": _time(rng), "mfaAuthenticated": "false"},
            "ec2RoleDelivery": "2.0",
        },
    }


def _person(rng: random.Random, name: str) -> Record:
    return {
        "type": "IAMUser",
        "principalId": _id(rng, "AIDA"),
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": _id(rng, "AKIA"),
        "userName": name,
        "sessionContext": {"attributes": {"creationDate": _time(rng), "mfaAuthenticated": "true"}},
    }


def _event(cast: Cast, service: str, name: str, who: Record, **members: Any) -> Record:
    """The members every record has, in AWS's order; *members* add to them or replace them."""
    rng = cast.rng
    return {
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": _time(rng),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": rng.choice(cast.addresses),
        "userAgent": rng.choice(AGENTS),
        "requestParameters": None,
        "responseElements": None,
        "requestID": _uuid(rng),
        "eventID": _uuid(rng),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | members


def _tls(service: str) -> Record:
    return {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": f"{service}.eu-west-1.amazonaws.com",
    }


def _service_read(cast: Cast) -> Record:
    rng = cast.rng
    service, name = rng.choice((*READS, ("sts", "AssumeRole"), ("kms", "Decrypt")))
    caller = f"{rng.choice(SERVICES)}.amazonaws.com"
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{caller}/AWSServiceRoleForSupport"
    subnets = rng.sample(cast.subnets, rng.randint(1, 4))
    return _event(
        cast, service, name, {"type": "AWSService", "invokedBy": caller},
        sourceIPAddress=caller, userAgent=caller, sharedEventID=_uuid(rng),
        requestParameters={
            "roleArn": arn, "roleSessionName": _hex(rng, 24), "durationSeconds": 3600,
            "filterSet": {"items": [
                {"name": "instance-state-name", "valueSet": {"items": [{"value": "running"}]}},
                {"name": "subnet-id", "valueSet": {"items": subnets}},
            ]},
        },
        resources=[{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": arn}],
    )  # fmt: skip


def _assume_role(cast: Cast) -> Record:
    rng = cast.rng
    name, session = rng.choice(ROLES), rng.choice(cast.sessions)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return _event(
        cast, "sts", "AssumeRole", rng.choice(cast.people),
        requestParameters={"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600},
        responseElements={
            "credentials": {
                "accessKeyId": _id(rng, "ASIA"), "sessionToken": _hex(rng, 64),
                "expiration": "Nov 28, 2026, 9:07:11 PM",
            },
            "assumedRoleUser": {
                "assumedRoleId": f"{_id(rng, 'AROA')}:{session}",
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
            },
        },
        resources=[{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": arn}],
    )  # fmt: skip


def _describe(cast: Cast) -> Record:
    service, name = cast.rng.choice(READS)
    asked = {
        "maxResults": cast.rng.choice([50, 100, 1000]),
        "filterSet": {"items": [{"name": "tag:team", "valueSet": {"items": [{"value": "web"}]}}]},
    }
    who = cast.rng.choice(cast.roles)
    return _event(cast, service, name, who, requestParameters=asked, tlsDetails=_tls(service))


def _denied(cast: Cast) -> Record:
    who = cast.rng.choice(cast.roles)
    return _event(
        cast, "s3", "GetBucketPolicy", who, errorCode="AccessDenied",
        errorMessage=f"User: {who['arn']} is not authorized to perform: s3:GetBucketPolicy "
        "because no identity-based policy allows the s3:GetBucketPolicy action",
        requestParameters={"bucketName": f"acme-{_hex(cast.rng, 8)}", "policy": ""},
    )  # fmt: skip


def _put_policy(cast: Cast) -> Record:
    document = json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "One", "Effect": "Allow", "Action": ["s3:Get*", "s3:List*"],
                       "Resource": f"arn:aws:s3:::acme-{_hex(cast.rng, 8)}/*"}],
    }, indent=2)  # fmt: skip
    return _event(
        cast, "iam", "PutRolePolicy", cast.rng.choice(cast.people), readOnly=False,
        requestParameters={
            "roleName": cast.rng.choice(ROLES), "policyName": "inline", "policyDocument": document,
        },
        tlsDetails=_tls("iam"),
    )  # fmt: skip


def _object_read(cast: Cast) -> Record:
    rng, bucket = cast.rng, f"acme-data-{cast.rng.randint(1, 9)}"
    folder = rng.choices(["raw", "größe"], weights=(50, 1))[0]
    key = f"{folder}/year=2026/month=11/day=28/part-{_hex(rng, 12)}.parquet"
    return _event(
        cast, "s3", rng.choice(["GetObject", "PutObject"]), rng.choice(cast.roles),
        requestParameters={"bucketName": bucket, "key": key},
        additionalEventData={
            "SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0, "bytesTransferredOut": rng.randint(1, 10**7),
            "AuthenticationMethod": "AuthHeader", "x-amz-id-2": _hex(rng, 76),
        },
        resources=[
            {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
        ],
        managementEvent=False, eventCategory="Data",
    )  # fmt: skip


def _sign_in(cast: Cast) -> Record:
    return _event(
        cast, "signin", "ConsoleLogin", cast.rng.choice(cast.people),
        readOnly=False, eventType="AwsConsoleSignIn",
        responseElements={"ConsoleLogin": cast.rng.choice(["Success", "Failure"])},
        additionalEventData={
            "LoginTo": "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true",
            "MobileVersion": "No", "MFAUsed": cast.rng.choice(["Yes", "No"]),
        },
    )  # fmt: skip
