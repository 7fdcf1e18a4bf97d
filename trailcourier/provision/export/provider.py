"""Map each step to a resource of Terraform's AWS provider: its type and its arguments; pure.

A test compares the names with those that the provider documents
(``tests/support/terraform_documented.py``).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from trailcourier.provision import documents
from trailcourier.provision.documents import BucketNotification
from trailcourier.provision.export.references import typed
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Placeholder, Step

Arguments = dict[str, Any]


class JsonDocument(msgspec.Struct, frozen=True):
    """An argument that the provider takes as JSON text."""

    content: Any


# log files, and the key without which nobody can read them, outlive the configuration
PREVENT_DESTROY = {"prevent_destroy": True}
_QUEUE = {
    "VisibilityTimeout": "visibility_timeout_seconds",
    "MessageRetentionPeriod": "message_retention_seconds",
    "ReceiveMessageWaitTimeSeconds": "receive_wait_time_seconds",
    "SqsManagedSseEnabled": "sqs_managed_sse_enabled",
    "KmsMasterKeyId": "kms_master_key_id",
    "RedrivePolicy": "redrive_policy",
    "RedriveAllowPolicy": "redrive_allow_policy",
}
_TRAIL = {
    "Name": "name",
    "S3BucketName": "s3_bucket_name",
    "S3KeyPrefix": "s3_key_prefix",
    "SnsTopicName": "sns_topic_name",
    "KmsKeyId": "kms_key_id",
    "IsMultiRegionTrail": "is_multi_region_trail",
    "IncludeGlobalServiceEvents": "include_global_service_events",
    "IsOrganizationTrail": "is_organization_trail",
    "EnableLogFileValidation": "enable_log_file_validation",
}
_PRIVACY = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> Arguments:
    return {names[name]: _typed_value(value) for name, value in values.items() if name in names}


def _typed_value(value: Any) -> Any:
    """Return *value* as Terraform takes it: numbers and booleans typed, documents as JSON."""
    return JsonDocument(value) if isinstance(value, Mapping) else typed(value)


def _policy(step: Step) -> JsonDocument:
    return JsonDocument(documents.policy_document(step.statements))


def _queue(_: Layout, step: Step) -> Arguments:
    given = step.create_calls[0].parameters
    return {"name": given["QueueName"], **_renamed(given["Attributes"], _QUEUE)}


def _queue_policy(_: Layout, step: Step) -> Arguments:
    return {"queue_url": Placeholder("queue_url"), "policy": _policy(step)}


def _region(layout: Layout, region: str) -> Arguments:
    """Return the argument for *region*, where it is not the provider's."""
    return {} if region == layout.region else {"region": region}


def _in_bucket(layout: Layout) -> Arguments:
    return {"bucket": layout.bucket, **_region(layout, layout.bucket_region)}


def _bucket(layout: Layout, _: Step) -> Arguments:
    locked = {"object_lock_enabled": True} if layout.request.lock_days else {}
    return {**_in_bucket(layout), **locked, "lifecycle": PREVENT_DESTROY}


def _versioning(layout: Layout, _: Step) -> Arguments:
    return {**_in_bucket(layout), "versioning_configuration": {"status": "Enabled"}}


def _object_lock(layout: Layout, _: Step) -> Arguments:
    retention = {"mode": "GOVERNANCE", "days": layout.request.lock_days}
    return {**_in_bucket(layout), "rule": {"default_retention": retention}}


def _lifecycle(layout: Layout, _: Step) -> Arguments:
    days = layout.request.expire_days
    rule = {
        "id": layout.name,
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"days": days},
        "noncurrent_version_expiration": {"noncurrent_days": days},
    }
    return {**_in_bucket(layout), "rule": rule}


def _privacy(layout: Layout, step: Step) -> Arguments:
    given = step.create_calls[0].parameters["PublicAccessBlockConfiguration"]
    return {**_in_bucket(layout), **_renamed(given, _PRIVACY)}


def _bucket_policy(layout: Layout, step: Step) -> Arguments:
    return {**_in_bucket(layout), "policy": _policy(step)}


def _bucket_events(layout: Layout, step: Step) -> Arguments:
    bucket = {"bucket": layout.bucket}
    match step.expected:
        case BucketNotification("QueueConfigurations", entry):
            rules = entry["Filter"]["Key"]["FilterRules"]
            filters = {f"filter_{each['Name']}": each["Value"] for each in rules}
            queue = {
                "id": entry["Id"],
                "queue_arn": entry["QueueArn"],
                "events": entry["Events"],
                **filters,
            }
            return {**bucket, "queue": queue}
        case _:
            return {**bucket, "eventbridge": True}


def _topic(layout: Layout, step: Step) -> Arguments:
    given = step.create_calls[0].parameters
    key = given.get("Attributes", {}).get("KmsMasterKeyId")
    return {"name": layout.name, **({"kms_master_key_id": key} if key else {})}


def _topic_policy(layout: Layout, step: Step) -> Arguments:
    return {"arn": layout.topic_arn, "policy": _policy(step)}


def _subscription(layout: Layout, _: Step) -> Arguments:
    return {
        "topic_arn": layout.topic_arn,
        **_region(layout, layout.topic_region),
        "protocol": "sqs",
        "endpoint": layout.queue_arn,
        "raw_message_delivery": layout.request.raw,
    }


def _trail(layout: Layout, step: Step) -> Arguments:
    arguments = _renamed(step.create_calls[0].parameters, _TRAIL)
    if "sns_topic_name" in arguments:  # the ARN works too, and becomes a reference to the topic
        arguments["sns_topic_name"] = layout.topic_arn
    return {**arguments, "enable_logging": True}


def _key(_: Layout, step: Step) -> Arguments:
    given = step.create_calls[0].parameters
    return {
        "description": given["Description"],
        "policy": JsonDocument(given["Policy"]),
        "enable_key_rotation": True,
        "lifecycle": PREVENT_DESTROY,
    }


def _rule(layout: Layout, step: Step) -> Arguments:
    given = step.create_calls[0].parameters
    return {"name": layout.name, "event_pattern": JsonDocument(given["EventPattern"])}


def _target(layout: Layout, step: Step) -> Arguments:
    (given,) = step.create_calls[0].parameters["Targets"]
    return {"rule": layout.name, "target_id": given["Id"], "arn": given["Arn"]}


def _group(layout: Layout, step: Step) -> Arguments:
    return {"name": layout.name, "path": step.create_calls[0].parameters["Path"]}


def _inline_policy(holder: str) -> Callable[[Layout, Step], Arguments]:
    def arguments(layout: Layout, step: Step) -> Arguments:
        document = JsonDocument(step.create_calls[0].parameters["PolicyDocument"])
        return {"name": layout.name, holder: layout.name, "policy": document}

    return arguments


def _identity(step: Step) -> Arguments:
    names = {"Path": "path", "PermissionsBoundary": "permissions_boundary"}
    return _renamed(step.create_calls[0].parameters, names)


def _user(layout: Layout, step: Step) -> Arguments:
    return {"name": layout.name, **_identity(step)}


def _membership(layout: Layout, _: Step) -> Arguments:
    return {"user": layout.name, "groups": [layout.name]}


def _role(layout: Layout, step: Step) -> Arguments:
    given = step.create_calls[0].parameters
    return {
        "name": layout.name,
        **_identity(step),
        "description": given["Description"],
        "assume_role_policy": JsonDocument(given["AssumeRolePolicyDocument"]),
    }


def _profile(layout: Layout, step: Step) -> Arguments:
    return {"name": layout.name, **_identity(step), "role": layout.name}


# step -> resource type, what builds its arguments, and the steps that it depends on
RESOURCES: Mapping[str, tuple[str, Callable[[Layout, Step], Arguments], tuple[str, ...]]] = {
    "key": ("aws_kms_key", _key, ()),
    "dead-letter-queue": ("aws_sqs_queue", _queue, ()),
    "queue": ("aws_sqs_queue", _queue, ()),
    "queue-policy": ("aws_sqs_queue_policy", _queue_policy, ()),
    "bucket": ("aws_s3_bucket", _bucket, ()),
    "bucket-privacy": ("aws_s3_bucket_public_access_block", _privacy, ("bucket",)),
    "bucket-versioning": ("aws_s3_bucket_versioning", _versioning, ("bucket",)),
    "bucket-lock": (
        "aws_s3_bucket_object_lock_configuration",
        _object_lock,
        ("bucket-versioning",),
    ),
    "bucket-lifecycle": (
        "aws_s3_bucket_lifecycle_configuration",
        _lifecycle,
        ("bucket-versioning",),
    ),
    "bucket-policy": ("aws_s3_bucket_policy", _bucket_policy, ("bucket",)),
    "bucket-events": ("aws_s3_bucket_notification", _bucket_events, ("bucket", "queue-policy")),
    "topic": ("aws_sns_topic", _topic, ()),
    "topic-policy": ("aws_sns_topic_policy", _topic_policy, ()),
    "subscription": ("aws_sns_topic_subscription", _subscription, ()),
    "trail": ("aws_cloudtrail", _trail, ("bucket-policy", "topic-policy")),
    "rule": ("aws_cloudwatch_event_rule", _rule, ()),
    "rule-target": ("aws_cloudwatch_event_target", _target, ("rule", "queue-policy")),
    "group": ("aws_iam_group", _group, ()),
    "group-policy": ("aws_iam_group_policy", _inline_policy("group"), ("group",)),
    "user": ("aws_iam_user", _user, ()),
    "membership": ("aws_iam_user_group_membership", _membership, ("user", "group")),
    "role": ("aws_iam_role", _role, ()),
    "role-policy": ("aws_iam_role_policy", _inline_policy("role"), ("role",)),
    "instance-profile": ("aws_iam_instance_profile", _profile, ("role",)),
}
PARTS = {
    "key-rotation": "key",
    "event-selectors": "trail",
    "logging": "trail",
    "profile-role": "instance-profile",
}
# the resources of these types take tags
TAGGED = frozenset(
    {"aws_kms_key", "aws_sqs_queue", "aws_s3_bucket", "aws_sns_topic", "aws_cloudtrail"}
    | {"aws_cloudwatch_event_rule", "aws_iam_user", "aws_iam_role", "aws_iam_instance_profile"}
)
