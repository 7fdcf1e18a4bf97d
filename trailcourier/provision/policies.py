"""The statements of every policy on the AWS side; pure.

Each statement for a service is limited by ``aws:SourceArn`` to our trail, topic, bucket or rule, so
that nobody else can use the service to write to our resources.
"""

from typing import Any

from trailcourier.provision.names import Layout
from trailcourier.provision.request import Encrypted

Statement = dict[str, Any]

CLOUDTRAIL = "cloudtrail.amazonaws.com"  # the same in every partition, like sns, s3 and events
_SENDERS = {
    "sns": "sns.amazonaws.com",
    "s3": "s3.amazonaws.com",
    "eventbridge": "events.amazonaws.com",
}


def bucket_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let CloudTrail write log files to the bucket, for this trail only."""
    for_trail = {"aws:SourceArn": layout.trail_arn}
    owners = [layout.account, *([layout.organization] if layout.request.organization else [])]
    return (
        {
            "Sid": layout.statement_id("AclCheck"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "s3:GetBucketAcl",
            "Resource": layout.bucket_arn,
            "Condition": {"StringEquals": for_trail},
        },
        {
            "Sid": layout.statement_id("Write"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "s3:PutObject",
            "Resource": [f"{layout.bucket_arn}/{layout.log_prefix}{owner}/*" for owner in owners],
            "Condition": {
                "StringEquals": {**for_trail, "s3:x-amz-acl": "bucket-owner-full-control"}
            },
        },
    )


def topic_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let CloudTrail publish this trail's notifications to the topic."""
    return (
        {
            "Sid": layout.statement_id("Publish"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "sns:Publish",
            "Resource": layout.topic_arn,
            "Condition": {"StringEquals": {"aws:SourceArn": layout.trail_arn}},
        },
    )


def queue_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let only the topic, the bucket or the rule send to the queue."""
    delivery = layout.request.delivery
    sources = {"sns": layout.topic_arn, "s3": layout.bucket_arn, "eventbridge": layout.rule_arn}
    condition: dict[str, Any] = {"ArnEquals": {"aws:SourceArn": sources[delivery]}}
    if delivery == "s3":  # the ARN of a bucket does not contain its account
        condition["StringEquals"] = {"aws:SourceAccount": layout.account}
    return (
        {
            "Sid": layout.statement_id("Send"),
            "Effect": "Allow",
            "Principal": {"Service": _SENDERS[delivery]},
            "Action": "sqs:SendMessage",
            "Resource": layout.queue_arn,
            "Condition": condition,
        },
    )


def key_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let CloudTrail and the queue's sender use the KMS key for what it encrypts."""
    statements: list[Statement] = []
    if layout.encrypts("logs") and layout.request.trail:
        statements += _log_file_key_statements(layout)
    if layout.encrypts("logs") and layout.request.bucket_role:
        statements += key_reader_statements(layout, layout.request.bucket_role)
    if layout.encrypts("topic") and layout.request.trail:
        statements.append(_service_key_statement(layout, "Topic", CLOUDTRAIL))
    if layout.encrypts("queue"):
        sender = _SENDERS[layout.request.delivery]
        statements.append(_service_key_statement(layout, "Queue", sender))
    return tuple(statements)


def key_owner_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let the account's IAM policies decide who may use a new key."""
    return (
        {
            "Sid": layout.statement_id("Account"),
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{layout.partition}:iam::{layout.account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
    )


def _log_file_key_statements(layout: Layout) -> list[Statement]:
    trails = f"arn:{layout.partition}:cloudtrail:*:{layout.account}:trail/*"
    for_trail = {"StringEquals": {"aws:SourceArn": layout.trail_arn}}
    return [
        {
            "Sid": layout.statement_id("Encrypt"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "kms:GenerateDataKey*",
            "Resource": "*",
            "Condition": {
                **for_trail,
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails},
            },
        },
        {
            "Sid": layout.statement_id("Describe"),
            "Effect": "Allow",
            "Principal": {"Service": CLOUDTRAIL},
            "Action": "kms:DescribeKey",
            "Resource": "*",
            "Condition": for_trail,
        },
    ]


def _service_key_statement(layout: Layout, what: str, service: str) -> Statement:
    return {
        "Sid": layout.statement_id(what),
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Resource": "*",
    }


def reader_statements(layout: Layout, key_arn: Any = "") -> tuple[Statement, ...]:
    """Let the collector do its work: with the fewest permissions, or with all it makes use of."""
    minimum = layout.policy_form == "minimum"
    queue = _queue_statement(layout)
    if not minimum:
        queue["Action"] += ["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    if role := layout.request.bucket_role:
        assume = {
            "Sid": "TakeRole",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": role,
        }
        return (queue, assume, *_decrypt_statements(layout, "queue", key_arn))
    reads = _bucket_permissions(layout)
    both = [*reads, queue] if minimum else [queue, *reads]
    return (*both, *_decrypt_statements(layout, "logs", key_arn))


def bucket_role_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let the role that the collector assumes for the bucket read it."""
    return (*_bucket_permissions(layout), *_decrypt_statements(layout, "logs"))


def _bucket_permissions(layout: Layout) -> list[Statement]:
    if layout.policy_form == "minimum":
        return [_minimum_bucket_statement(layout)]
    return _recommended_bucket_statements(layout)


def _decrypt_statements(layout: Layout, what: Encrypted, key_arn: Any = "") -> list[Statement]:
    """Let a reader of *what* decrypt; without a role for the bucket, one reader reads all."""
    reads_all = not layout.request.bucket_role
    if not (layout.request.kms_key and (reads_all or layout.encrypts(what))):
        return []
    return [
        {
            "Sid": "Decrypt",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key_arn or layout.request.kms_key,
        }
    ]


def _minimum_bucket_statement(layout: Layout) -> Statement:
    return {
        "Sid": "ReadLogs",
        "Effect": "Allow",
        "Action": ["s3:Get*", "s3:List*"],
        "Resource": [layout.bucket_arn, f"{layout.bucket_arn}/*"],
    }


def _queue_statement(layout: Layout) -> Statement:
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    return {"Sid": "Queue", "Effect": "Allow", "Action": actions, "Resource": layout.queue_arn}


def _recommended_bucket_statements(layout: Layout) -> list[Statement]:
    # setup does not know the prefix of a trail that it does not create
    prefix = layout.log_prefix if layout.request.trail else ""
    return [
        {
            "Sid": "ReadLogs",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"{layout.bucket_arn}/{prefix}*",
        },
        {
            "Sid": "ListAndLocate",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": layout.bucket_arn,
        },
    ]


def bucket_reader_statements(layout: Layout, principal: str) -> tuple[Statement, ...]:
    """Let a *principal* of another account read; for the policy of the bucket."""
    return tuple(
        {**each, "Sid": layout.statement_id(each["Sid"]), "Principal": {"AWS": principal}}
        for each in _recommended_bucket_statements(layout)
    )


def key_reader_statements(layout: Layout, principal: str) -> tuple[Statement, ...]:
    """Let a *principal* of another account decrypt; for the policy of the key."""
    return (
        {
            "Sid": layout.statement_id("Decrypt"),
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "kms:Decrypt",
            "Resource": "*",
        },
    )


def trust_statements(layout: Layout, external_id: Any = "") -> tuple[Statement, ...]:
    """Let the reader assume its role; for the role's trust policy."""
    if layout.request.reader == "cross-account":
        return (assume_role_statement(layout.request.principal, external_id),)
    if layout.request.reader == "pod-identity":
        service, action = "pods.eks.amazonaws.com", ["sts:AssumeRole", "sts:TagSession"]
        return (_service_trust_statement(service, action),)
    # of all these services, only EC2's principal has another name in China
    ec2 = "ec2.amazonaws.com.cn" if layout.partition == "aws-cn" else "ec2.amazonaws.com"
    return (_service_trust_statement(ec2, "sts:AssumeRole"),)


def assume_role_statement(principal: str, external_id: Any) -> Statement:
    """Let *principal* assume a role if it gives the external id."""
    return {
        "Sid": "Collector",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }


def _service_trust_statement(service: str, action: str | list[str]) -> Statement:
    return {
        "Sid": "Collector",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
    }
