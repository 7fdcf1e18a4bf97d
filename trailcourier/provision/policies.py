"""Statements of every policy that the AWS side needs; pure.

Each names exactly who may do what: what a service does on somebody's behalf is tied to the trail,
topic, bucket or rule it does it for (``aws:SourceArn``), so that nobody else's may.
"""

from typing import Any

from trailcourier.provision.layout import Layout
from trailcourier.provision.request import Encrypted

Statement = dict[str, Any]

CLOUDTRAIL = "cloudtrail.amazonaws.com"  # the same in every partition, as sns, s3 and events are
_SENDERS = {
    "sns": "sns.amazonaws.com",
    "s3": "s3.amazonaws.com",
    "eventbridge": "events.amazonaws.com",
}


def bucket(layout: Layout) -> tuple[Statement, ...]:
    """What lets CloudTrail write log files into the bucket, for this trail alone."""
    for_trail = {"aws:SourceArn": layout.trail_arn}
    owners = [layout.account, *([layout.organization] if layout.request.organization else [])]
    return (
        {
            "Sid": layout.sid("AclCheck"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "s3:GetBucketAcl",
            "Resource": layout.bucket_arn,
            "Condition": {"StringEquals": for_trail},
        },
        {
            "Sid": layout.sid("Write"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "s3:PutObject",
            "Resource": [f"{layout.bucket_arn}/{layout.logs}{owner}/*" for owner in owners],
            "Condition": {
                "StringEquals": {**for_trail, "s3:x-amz-acl": "bucket-owner-full-control"}
            },
        },
    )


def topic(layout: Layout) -> tuple[Statement, ...]:
    """What lets CloudTrail announce this trail's files on the topic."""
    return (
        {
            "Sid": layout.sid("Publish"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "sns:Publish",
            "Resource": layout.topic_arn,
            "Condition": {"StringEquals": {"aws:SourceArn": layout.trail_arn}},
        },
    )


def queue(layout: Layout) -> tuple[Statement, ...]:
    """What lets the topic, the bucket or the rule, and nobody else, send to the queue."""
    delivery = layout.request.delivery
    sources = {"sns": layout.topic_arn, "s3": layout.bucket_arn, "eventbridge": layout.rule_arn}
    condition: dict[str, Any] = {"ArnEquals": {"aws:SourceArn": sources[delivery]}}
    if delivery == "s3":  # a bucket's ARN does not say whose it is
        condition["StringEquals"] = {"aws:SourceAccount": layout.account}
    return (
        {
            "Sid": layout.sid("Send"),
            "Effect": "Allow",
            "Principal": {"Service": _SENDERS[delivery]},
            "Action": "sqs:SendMessage",
            "Resource": layout.queue_arn,
            "Condition": condition,
        },
    )


def key(layout: Layout) -> tuple[Statement, ...]:
    """What CloudTrail and the queue's sender need of the KMS key, for what it encrypts."""
    statements: list[Statement] = []
    if layout.encrypted("logs") and layout.request.trail:
        statements += _of_log_files(layout)
    if layout.encrypted("logs") and layout.request.bucket_role:
        statements += key_for(layout, layout.request.bucket_role)
    if layout.encrypted("topic") and layout.request.trail:
        statements.append(_through(layout, "Topic", CLOUDTRAIL))
    if layout.encrypted("queue"):
        statements.append(_through(layout, "Queue", _SENDERS[layout.request.delivery]))
    return tuple(statements)


def key_owner(layout: Layout) -> tuple[Statement, ...]:
    """What makes a new key its account's: IAM policies there decide who else uses it."""
    return (
        {
            "Sid": layout.sid("Account"),
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{layout.partition}:iam::{layout.account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
    )


def _of_log_files(layout: Layout) -> list[Statement]:
    about = f"arn:{layout.partition}:cloudtrail:*:{layout.account}:trail/*"
    for_trail = {"StringEquals": {"aws:SourceArn": layout.trail_arn}}
    return [
        {
            "Sid": layout.sid("Encrypt"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "kms:GenerateDataKey*",
            "Resource": "*",
            "Condition": {
                **for_trail,
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": about},
            },
        },
        {
            "Sid": layout.sid("Describe"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "kms:DescribeKey",
            "Resource": "*",
            "Condition": for_trail,
        },
    ]


def _through(layout: Layout, what: str, service: str) -> Statement:
    return {
        "Sid": layout.sid(what),
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Resource": "*",
    }


def reader(layout: Layout, key_arn: Any = "") -> tuple[Statement, ...]:
    """What the collector may do: the least it works with, or what it works well with."""
    least = layout.form == "minimum"
    queue = _queue_actions(layout, "Receive", "Delete")
    if not least:
        queue["Action"] += ["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    if layout.request.bucket_role:
        return (queue, _take(layout.request.bucket_role), *_decrypt(layout, "queue", key_arn))
    reads = _of_bucket(layout)
    both = [*reads, queue] if least else [queue, *reads]
    return (*both, *_decrypt(layout, "logs", key_arn))


def bucket_reader(layout: Layout) -> tuple[Statement, ...]:
    """What the bucket's role may do, where the collector takes one for it."""
    return (*_of_bucket(layout), *_decrypt(layout, "logs"))


def _of_bucket(layout: Layout) -> list[Statement]:
    if layout.form == "minimum":
        return [_minimum_of_bucket(layout)]
    return _bucket_reads(layout)


def _take(role: str) -> Statement:
    return {"Sid": "TakeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}


def _decrypt(layout: Layout, what: Encrypted, key_arn: Any = "") -> list[Statement]:
    """What a reader of *what* needs of the key; one without a role for the bucket reads all."""
    alone = not layout.request.bucket_role
    if not (layout.request.kms_key and (alone or layout.encrypted(what))):
        return []
    return [
        {
            "Sid": "Decrypt",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key_arn or layout.request.kms_key,
        }
    ]


def _minimum_of_bucket(layout: Layout) -> Statement:
    return {
        "Sid": "ReadLogs",
        "Effect": "Allow",
        "Action": ["s3:Get*", "s3:List*"],
        "Resource": [layout.bucket_arn, f"{layout.bucket_arn}/*"],
    }


def _queue_actions(layout: Layout, *verbs: str) -> Statement:
    names = [f"sqs:{verb}Message" for verb in verbs]
    return {"Sid": "Queue", "Effect": "Allow", "Action": names, "Resource": layout.queue_arn}


def _bucket_reads(layout: Layout) -> list[Statement]:
    # without a trail of our own the prefix is the other side's choice
    below = layout.logs if layout.request.trail else ""
    return [
        {
            "Sid": "ReadLogs",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"{layout.bucket_arn}/{below}*",
        },
        {
            "Sid": "ListAndLocate",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": layout.bucket_arn,
        },
    ]


def bucket_for(layout: Layout, principal: str) -> tuple[Statement, ...]:
    """What the bucket's own account has to say yes to, for a reader of another."""
    return tuple(
        {**each, "Sid": layout.sid(each["Sid"]), "Principal": {"AWS": principal}}
        for each in _bucket_reads(layout)
    )


def key_for(layout: Layout, principal: str) -> tuple[Statement, ...]:
    """What the key's own account has to say yes to, for a reader of another."""
    return (
        {
            "Sid": layout.sid("Decrypt"),
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "kms:Decrypt",
            "Resource": "*",
        },
    )


def trust(layout: Layout, external_id: Any = "") -> tuple[Statement, ...]:
    """Who may take the reader's role."""
    if layout.request.reader == "cross-account":
        return (taken_by(layout.request.principal, external_id),)
    if layout.request.reader == "pod-identity":
        service, action = "pods.eks.amazonaws.com", ["sts:AssumeRole", "sts:TagSession"]
        return (_service_trust(service, action),)
    # EC2's principal is the one that has another name in China
    ec2 = "ec2.amazonaws.com.cn" if layout.partition == "aws-cn" else "ec2.amazonaws.com"
    return (_service_trust(ec2, "sts:AssumeRole"),)


def taken_by(principal: str, external_id: Any) -> Statement:
    """What lets *principal* take a role, if it says the external id."""
    return {
        "Sid": "Collector",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }


def _service_trust(service: str, action: str | list[str]) -> Statement:
    return {
        "Sid": "Collector",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
    }
