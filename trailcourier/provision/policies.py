"""The statements of every policy on the AWS side; pure.

Each statement for a service is limited by ``aws:SourceArn`` to our trail, topic, bucket or rule,
and by ``aws:SourceAccount`` to its account, so that nobody else can use the service to write to our
resources. ``...IfExists`` stands where AWS does not document that the service sends the key.
"""

from collections.abc import Mapping
from typing import Any

from trailcourier.provision.names import Layout
from trailcourier.provision.request import Encrypted
from trailcourier.provision.service_principals import CLOUDTRAIL, queue_sender

Statement = dict[str, Any]
Condition = dict[str, dict[str, Any]]

TRAIL = {"Service": CLOUDTRAIL}


def _allow(
    sid: str,
    action: str | list[str],
    resource: Any = None,
    principal: Mapping[str, str] | None = None,
    condition: Mapping[str, Any] | None = None,
) -> Statement:
    """Return an Allow statement; a part that is None is left out."""
    parts = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _for_trail(layout: Layout, **further: str) -> Condition:
    """Return the condition that CloudTrail acts for our trail."""
    condition: Condition = {"StringEquals": {"aws:SourceArn": layout.trail_arn, **further}}
    if not layout.request.organization:  # it also writes for the member accounts
        condition["StringEqualsIfExists"] = {"aws:SourceAccount": layout.account}
    return condition


def _for_sender(layout: Layout) -> Condition:
    """Return the condition that the queue's sender acts for our topic, bucket or rule."""
    match layout.request.delivery:
        case "s3":  # the ARN of a bucket does not contain its account
            source, account = layout.bucket_arn, {"aws:SourceAccount": layout.account}
            return {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": account}
        case "sns":
            source, owner = layout.topic_arn, layout.topic_arn.split(":")[4]
        case _:
            source, owner = layout.rule_arn, layout.account
    account = {"aws:SourceAccount": owner}
    return {"ArnEquals": {"aws:SourceArn": source}, "StringEqualsIfExists": account}


def _if_exists(condition: Condition) -> Condition:
    """Return *condition* for the calls to KMS that a service makes on behalf of another call."""
    relaxed: Condition = {}
    for operator, values in condition.items():
        relaxed.setdefault(f"{operator.removesuffix('IfExists')}IfExists", {}).update(values)
    return relaxed


def secure_transport_statement(layout: Layout) -> Statement:
    """Deny everybody plain HTTP; for the policy of the bucket."""
    return {
        "Sid": layout.statement_id("Tls"),
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [layout.bucket_arn, f"{layout.bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def bucket_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let CloudTrail write log files to the bucket, for this trail only."""
    arn = layout.bucket_arn
    owners = [layout.account, *([layout.organization] if layout.request.organization else [])]
    folders = [f"{arn}/{layout.log_prefix}{owner}/*" for owner in owners]
    with_acl = _for_trail(layout, **{"s3:x-amz-acl": "bucket-owner-full-control"})
    check, write = layout.statement_id("AclCheck"), layout.statement_id("Write")
    return (
        _allow(check, "s3:GetBucketAcl", arn, TRAIL, _for_trail(layout)),
        _allow(write, "s3:PutObject", folders, TRAIL, with_acl),
    )


def topic_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let CloudTrail publish this trail's notifications to the topic."""
    sid = layout.statement_id("Publish")
    return (_allow(sid, "sns:Publish", layout.topic_arn, TRAIL, _for_trail(layout)),)


def queue_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let only the topic, the bucket or the rule send to the queue."""
    sid, sender = layout.statement_id("Send"), queue_sender(layout)
    condition = _for_sender(layout)
    return (_allow(sid, "sqs:SendMessage", layout.queue_arn, sender, condition),)


def key_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let CloudTrail and the queue's sender use the KMS key for what it encrypts."""
    statements: list[Statement] = []
    if layout.encrypts("logs") and layout.request.trail:
        statements += _log_file_key_statements(layout)
    if layout.encrypts("logs") and layout.request.bucket_role:
        statements += key_reader_statements(layout, layout.request.bucket_role)
    if layout.encrypts("topic") and layout.request.trail:
        statements.append(_service_key_statement(layout, "Topic", TRAIL, _for_trail(layout)))
    if layout.encrypts("queue"):
        sender, condition = queue_sender(layout), _for_sender(layout)
        statements.append(_service_key_statement(layout, "Queue", sender, condition))
    return tuple(statements)


def key_owner_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let the account's IAM policies decide who may use a new key."""
    owner = {"AWS": f"arn:{layout.partition}:iam::{layout.account}:root"}
    return (_allow(layout.statement_id("Account"), "kms:*", "*", owner),)


def _log_file_key_statements(layout: Layout) -> list[Statement]:
    trails = f"arn:{layout.partition}:cloudtrail:*:{layout.account}:trail/*"
    for_trail = _for_trail(layout)
    in_context = {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails}}
    encrypt, describe = layout.statement_id("Encrypt"), layout.statement_id("Describe")
    return [
        _allow(encrypt, "kms:GenerateDataKey*", "*", TRAIL, {**for_trail, **in_context}),
        _allow(describe, "kms:DescribeKey", "*", TRAIL, for_trail),
    ]


def _service_key_statement(
    layout: Layout, what: str, service: Mapping[str, str], condition: Condition
) -> Statement:
    actions = ["kms:GenerateDataKey*", "kms:Decrypt"]
    return _allow(layout.statement_id(what), actions, "*", service, _if_exists(condition))


def reader_statements(layout: Layout, key_arn: Any = "") -> tuple[Statement, ...]:
    """Let the collector do its work: with the fewest permissions, or with all it makes use of."""
    minimum = layout.policy_form == "minimum"
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    if not minimum:
        actions += ["sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    queue = _allow("Queue", actions, layout.queue_arn)
    if role := layout.request.bucket_role:
        assume = _allow("TakeRole", "sts:AssumeRole", role)
        return (queue, assume, *_decrypt_statements(layout, "queue", key_arn))
    reads = _bucket_permissions(layout)
    both = [*reads, queue] if minimum else [queue, *reads]
    return (*both, *_decrypt_statements(layout, "logs", key_arn))


def bucket_role_statements(layout: Layout) -> tuple[Statement, ...]:
    """Let the role that the collector assumes for the bucket read it."""
    return (*_bucket_permissions(layout), *_decrypt_statements(layout, "logs"))


def _bucket_permissions(layout: Layout) -> list[Statement]:
    if layout.policy_form == "minimum":
        both = [layout.bucket_arn, f"{layout.bucket_arn}/*"]
        return [_allow("ReadLogs", ["s3:Get*", "s3:List*"], both)]
    return _recommended_bucket_statements(layout)


def _decrypt_statements(layout: Layout, what: Encrypted, key_arn: Any = "") -> list[Statement]:
    """Let a reader of *what* decrypt; without a role for the bucket, one reader reads all."""
    reads_all = not layout.request.bucket_role
    keys = []
    if layout.request.kms_key and (reads_all or layout.encrypts(what)):
        keys.append(key_arn or layout.request.kms_key)
    if what == "logs":
        keys += [each for each in layout.trail_keys if each not in keys]
    if not keys:
        return []
    return [_allow("Decrypt", "kms:Decrypt", keys if len(keys) > 1 else keys[0])]


def _recommended_bucket_statements(layout: Layout) -> list[Statement]:
    # without --prefix, setup does not know the prefix of a trail that it does not create
    prefix = layout.log_prefix if layout.request.trail or layout.request.prefix else ""
    return [
        _allow(
            "ReadLogs", ["s3:GetObject", "s3:GetObjectVersion"], f"{layout.bucket_arn}/{prefix}*"
        ),
        _allow("ListAndLocate", ["s3:ListBucket", "s3:GetBucketLocation"], layout.bucket_arn),
    ]


def bucket_reader_statements(layout: Layout, principal: str) -> tuple[Statement, ...]:
    """Let a *principal* of another account read; for the policy of the bucket."""
    return tuple(
        {**each, "Sid": layout.statement_id(each["Sid"]), "Principal": {"AWS": principal}}
        for each in _recommended_bucket_statements(layout)
    )


def key_reader_statements(layout: Layout, principal: str) -> tuple[Statement, ...]:
    """Let a *principal* of another account decrypt; for the policy of the key."""
    return (_allow(layout.statement_id("Decrypt"), "kms:Decrypt", "*", {"AWS": principal}),)


def trust_statements(layout: Layout, external_id: Any = "") -> tuple[Statement, ...]:
    """Let the reader assume its role; for the role's trust policy."""
    if layout.request.reader == "cross-account":
        return (assume_role_statement(layout.request.principal, external_id),)
    if layout.request.reader == "pod-identity":
        pods = {"Service": "pods.eks.amazonaws.com"}
        actions = ["sts:AssumeRole", "sts:TagSession"]
        return (_allow("Collector", actions, principal=pods),)
    # of all these services, only EC2's principal has another name in China
    ec2 = "ec2.amazonaws.com.cn" if layout.partition == "aws-cn" else "ec2.amazonaws.com"
    return (_allow("Collector", "sts:AssumeRole", principal={"Service": ec2}),)


def assume_role_statement(principal: str, external_id: Any) -> Statement:
    """Let *principal* assume a role if it gives the external id."""
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    return _allow("Collector", "sts:AssumeRole", None, {"AWS": principal}, condition)
