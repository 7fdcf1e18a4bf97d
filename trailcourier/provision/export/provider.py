"""Each step as a resource of Terraform's AWS provider: its kind, and its arguments; pure.

``tests/terraform_documented.py`` has the names that the provider documents; a test compares.
"""

from collections.abc import Callable, Mapping
from typing import Any

from trailcourier.provision import documents
from trailcourier.provision.export.hcl import Block, Encoded
from trailcourier.provision.layout import Layout
from trailcourier.provision.steps import Known, Notification, Statements, Step

Arguments = dict[str, Any]

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
    return {names[name]: _plain(value) for name, value in values.items() if name in names}


def _plain(value: Any) -> Any:
    """*value* as Terraform has it: numbers and truths are no text, documents are JSON."""
    if isinstance(value, Mapping):
        return Encoded(value)
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _statements(step: Step) -> Encoded:
    wanted = step.want
    return Encoded(documents.policy(wanted.statements if isinstance(wanted, Statements) else ()))


def _queue(layout: Layout, step: Step) -> Arguments:
    del layout
    made = step.make[0].parameters
    return {"name": made["QueueName"], **_renamed(made["Attributes"], _QUEUE)}


def _queue_policy(layout: Layout, step: Step) -> Arguments:
    del layout
    return {"queue_url": Known("queue_url"), "policy": _statements(step)}


def _elsewhere(layout: Layout) -> Arguments:
    """The bucket's region, where it is not the provider's."""
    where = layout.bucket_region
    return {} if where == layout.region else {"region": where}


def _bucket(layout: Layout, step: Step) -> Arguments:
    del step
    return {"bucket": layout.bucket, **_elsewhere(layout)}


def _privacy(layout: Layout, step: Step) -> Arguments:
    made = step.make[0].parameters["PublicAccessBlockConfiguration"]
    return {"bucket": layout.bucket, **_elsewhere(layout), **_renamed(made, _PRIVACY)}


def _bucket_policy(layout: Layout, step: Step) -> Arguments:
    return {"bucket": layout.bucket, **_elsewhere(layout), "policy": _statements(step)}


def _bucket_events(layout: Layout, step: Step) -> Arguments:
    to = {"bucket": layout.bucket}
    match step.want:
        case Notification("QueueConfigurations", entry):
            rules = entry["Filter"]["Key"]["FilterRules"]
            filters = {f"filter_{each['Name']}": each["Value"] for each in rules}
            inner = {
                "id": entry["Id"],
                "queue_arn": entry["QueueArn"],
                "events": entry["Events"],
                **filters,
            }
            return {**to, "queue": Block("queue", inner)}
        case _:
            return {**to, "eventbridge": True}


def _topic(layout: Layout, step: Step) -> Arguments:
    made = step.make[0].parameters
    key = made.get("Attributes", {}).get("KmsMasterKeyId")
    return {"name": layout.name, **({"kms_master_key_id": key} if key else {})}


def _topic_policy(layout: Layout, step: Step) -> Arguments:
    return {"arn": layout.topic_arn, "policy": _statements(step)}


def _subscription(layout: Layout, step: Step) -> Arguments:
    del step
    where = layout.topic_region
    return {
        "topic_arn": layout.topic_arn,
        **({} if where == layout.region else {"region": where}),
        "protocol": "sqs",
        "endpoint": layout.queue_arn,
        "raw_message_delivery": layout.request.raw,
    }


def _trail(layout: Layout, step: Step) -> Arguments:
    arguments = _renamed(step.make[0].parameters, _TRAIL)
    if "sns_topic_name" in arguments:  # its ARN will do, and refers to the topic
        arguments["sns_topic_name"] = layout.topic_arn
    return {**arguments, "enable_logging": True}


def _key(layout: Layout, step: Step) -> Arguments:
    del layout
    made = step.make[0].parameters
    return {"description": made["Description"], "policy": Encoded(made["Policy"])}


def _rule(layout: Layout, step: Step) -> Arguments:
    made = step.make[0].parameters
    return {"name": layout.name, "event_pattern": Encoded(made["EventPattern"])}


def _target(layout: Layout, step: Step) -> Arguments:
    (made,) = step.make[0].parameters["Targets"]
    return {"rule": layout.name, "target_id": made["Id"], "arn": made["Arn"]}


def _group(layout: Layout, step: Step) -> Arguments:
    return {"name": layout.name, "path": step.make[0].parameters["Path"]}


def _inline(of: str) -> Callable[[Layout, Step], Arguments]:
    def arguments(layout: Layout, step: Step) -> Arguments:
        document = Encoded(step.make[0].parameters["PolicyDocument"])
        return {"name": layout.name, of: layout.name, "policy": document}

    return arguments


def _user(layout: Layout, step: Step) -> Arguments:
    del step
    return {"name": layout.name}


def _membership(layout: Layout, step: Step) -> Arguments:
    del step
    return {"user": layout.name, "groups": [layout.name]}


def _role(layout: Layout, step: Step) -> Arguments:
    made = step.make[0].parameters
    return {
        "name": layout.name,
        "description": made["Description"],
        "assume_role_policy": Encoded(made["AssumeRolePolicyDocument"]),
    }


def _profile(layout: Layout, step: Step) -> Arguments:
    del step
    return {"name": layout.name, "role": layout.name}


# step -> resource, what makes its arguments, and the steps it has to come after
RESOURCES: Mapping[str, tuple[str, Callable[[Layout, Step], Arguments], tuple[str, ...]]] = {
    "key": ("aws_kms_key", _key, ()),
    "dead-letter-queue": ("aws_sqs_queue", _queue, ()),
    "queue": ("aws_sqs_queue", _queue, ()),
    "queue-policy": ("aws_sqs_queue_policy", _queue_policy, ()),
    "bucket": ("aws_s3_bucket", _bucket, ()),
    "bucket-privacy": ("aws_s3_bucket_public_access_block", _privacy, ("bucket",)),
    "bucket-policy": ("aws_s3_bucket_policy", _bucket_policy, ("bucket",)),
    "bucket-events": ("aws_s3_bucket_notification", _bucket_events, ("bucket", "queue-policy")),
    "topic": ("aws_sns_topic", _topic, ()),
    "topic-policy": ("aws_sns_topic_policy", _topic_policy, ()),
    "subscription": ("aws_sns_topic_subscription", _subscription, ()),
    "trail": ("aws_cloudtrail", _trail, ("bucket-policy", "topic-policy")),
    "rule": ("aws_cloudwatch_event_rule", _rule, ()),
    "rule-target": ("aws_cloudwatch_event_target", _target, ("rule", "queue-policy")),
    "group": ("aws_iam_group", _group, ()),
    "group-policy": ("aws_iam_group_policy", _inline("group"), ("group",)),
    "user": ("aws_iam_user", _user, ()),
    "membership": ("aws_iam_user_group_membership", _membership, ("user", "group")),
    "role": ("aws_iam_role", _role, ()),
    "role-policy": ("aws_iam_role_policy", _inline("role"), ("role",)),
    "instance-profile": ("aws_iam_instance_profile", _profile, ("role",)),
}
PARTS = {"event-selectors": "trail", "logging": "trail", "profile-role": "instance-profile"}
