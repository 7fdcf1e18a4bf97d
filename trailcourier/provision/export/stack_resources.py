"""Map each step to a CloudFormation resource: its type and its properties; pure."""

from collections.abc import Callable, Mapping
from typing import Any

from trailcourier.provision import documents
from trailcourier.provision.documents import BucketNotification
from trailcourier.provision.export.references import typed
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Placeholder, Step

Properties = dict[str, Any]


def _queue(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    given = step.create_calls[0].parameters
    return {
        "QueueName": given["QueueName"],
        **{name: typed(value) for name, value in given["Attributes"].items()},
        "Tags": layout.tags,
    }


def _queue_policy(_: Layout, step: Step, __: Mapping[str, Step]) -> Properties:
    document = documents.policy_document(step.statements)
    return {"Queues": [Placeholder("queue_url")], "PolicyDocument": document}


def _bucket(layout: Layout, _: Step, by_id: Mapping[str, Step]) -> Properties:
    block = by_id["bucket-privacy"].create_calls[0].parameters
    return {
        "BucketName": layout.bucket,
        "PublicAccessBlockConfiguration": block["PublicAccessBlockConfiguration"],
        "VersioningConfiguration": {"Status": "Enabled"},
        **_retention(layout),
        **_notifications(by_id),
        "Tags": layout.tags,
    }


def _retention(layout: Layout) -> Properties:
    """Return for how long the bucket locks log files, and after how long it deletes them."""
    properties: Properties = {}
    if locked := layout.request.lock_days:
        retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": locked}}
        properties["ObjectLockEnabled"] = True
        properties["ObjectLockConfiguration"] = {"ObjectLockEnabled": "Enabled", "Rule": retention}
    if days := layout.request.expire_days:
        rule = {
            "Id": layout.name,
            "Status": "Enabled",
            "ExpirationInDays": days,
            "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        }
        properties["LifecycleConfiguration"] = {"Rules": [rule]}
    return properties


def _notifications(by_id: Mapping[str, Step]) -> Properties:
    expected = by_id["bucket-events"].expected if "bucket-events" in by_id else None
    match expected:
        case BucketNotification("QueueConfigurations", entry):
            rules = entry["Filter"]["Key"]["FilterRules"]
            queue = {
                "Event": entry["Events"][0],
                "Queue": entry["QueueArn"],
                "Filter": {"S3Key": {"Rules": rules}},
            }
            return {"NotificationConfiguration": {"QueueConfigurations": [queue]}}
        case BucketNotification():
            enabled = {"EventBridgeEnabled": True}
            return {"NotificationConfiguration": {"EventBridgeConfiguration": enabled}}
        case _:
            return {}


def notifies_queue(by_id: Mapping[str, Step]) -> bool:
    return "QueueConfigurations" in _notifications(by_id).get("NotificationConfiguration", {})


def _bucket_policy(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    document = documents.policy_document(step.statements)
    return {"Bucket": layout.bucket, "PolicyDocument": document}


def _topic(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    given = step.create_calls[0].parameters
    return {"TopicName": layout.name, **given.get("Attributes", {}), "Tags": layout.tags}


def _topic_policy(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    document = documents.policy_document(step.statements)
    return {"Topics": [layout.topic_arn], "PolicyDocument": document}


def _subscription(layout: Layout, _: Step, __: Mapping[str, Step]) -> Properties:
    region = layout.topic_region
    return {
        "TopicArn": layout.topic_arn,
        "Protocol": "sqs",
        "Endpoint": layout.queue_arn,
        "RawMessageDelivery": layout.request.raw,
        **({} if region == layout.region else {"Region": region}),
    }


def _trail(_: Layout, step: Step, by_id: Mapping[str, Step]) -> Properties:
    given = dict(step.create_calls[0].parameters)
    tags, name = given.pop("TagsList"), given.pop("Name")
    given.pop("RecursiveLogging")  # CloudFormation does not document it
    if "KmsKeyId" in given:
        given["KMSKeyId"] = given.pop("KmsKeyId")
    selectors = by_id["event-selectors"].create_calls[0].parameters["EventSelectors"]
    return {
        "TrailName": name,
        "IsLogging": True,
        **given,
        "EventSelectors": selectors,
        "Tags": tags,
    }


def _key(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    given = step.create_calls[0].parameters
    return {
        "Description": given["Description"],
        "KeyPolicy": given["Policy"],
        "EnableKeyRotation": True,
        "Tags": layout.tags,
    }


def _rule(layout: Layout, step: Step, by_id: Mapping[str, Step]) -> Properties:
    given = step.create_calls[0].parameters
    return {
        "Name": layout.name,
        "EventPattern": given["EventPattern"],
        "State": given["State"],
        "Targets": by_id["rule-target"].create_calls[0].parameters["Targets"],
    }


def _inline_policies(layout: Layout, step: Step) -> list[Properties]:
    document = step.create_calls[0].parameters["PolicyDocument"]
    return [{"PolicyName": layout.name, "PolicyDocument": document}]


def _group(layout: Layout, step: Step, by_id: Mapping[str, Step]) -> Properties:
    return {
        "GroupName": layout.name,
        "Path": step.create_calls[0].parameters["Path"],
        "Policies": _inline_policies(layout, by_id["group-policy"]),
    }


def _identity(step: Step) -> Properties:
    given = step.create_calls[0].parameters
    return {name: given[name] for name in ("Path", "PermissionsBoundary") if name in given}


def _user(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    return {
        "UserName": layout.name,
        **_identity(step),
        "Groups": [{"Ref": "Group"}],
        "Tags": layout.tags,
    }


def _role(layout: Layout, step: Step, by_id: Mapping[str, Step]) -> Properties:
    given = step.create_calls[0].parameters
    return {
        "RoleName": layout.name,
        **_identity(step),
        "Description": given["Description"],
        "AssumeRolePolicyDocument": given["AssumeRolePolicyDocument"],
        "Policies": _inline_policies(layout, by_id["role-policy"]),
        "Tags": layout.tags,
    }


def _profile(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    return {"InstanceProfileName": layout.name, **_identity(step), "Roles": [{"Ref": "Role"}]}


BuildProperties = Callable[[Layout, Step, Mapping[str, Step]], Properties]
# step -> resource type, what builds its properties, and the steps that it depends on
RESOURCES: Mapping[str, tuple[str, BuildProperties, tuple[str, ...]]] = {
    "key": ("AWS::KMS::Key", _key, ()),
    "dead-letter-queue": ("AWS::SQS::Queue", _queue, ()),
    "queue": ("AWS::SQS::Queue", _queue, ()),
    "queue-policy": ("AWS::SQS::QueuePolicy", _queue_policy, ()),
    "bucket": ("AWS::S3::Bucket", _bucket, ()),
    "bucket-policy": ("AWS::S3::BucketPolicy", _bucket_policy, ("bucket",)),
    "topic": ("AWS::SNS::Topic", _topic, ()),
    "topic-policy": ("AWS::SNS::TopicPolicy", _topic_policy, ()),
    "subscription": ("AWS::SNS::Subscription", _subscription, ()),
    "trail": ("AWS::CloudTrail::Trail", _trail, ("bucket-policy", "topic-policy")),
    "rule": ("AWS::Events::Rule", _rule, ("queue-policy",)),
    "group": ("AWS::IAM::Group", _group, ()),
    "user": ("AWS::IAM::User", _user, ()),
    "role": ("AWS::IAM::Role", _role, ()),
    "instance-profile": ("AWS::IAM::InstanceProfile", _profile, ()),
}
PARTS = {  # step -> the step whose resource contains it
    "bucket-privacy": "bucket",
    "bucket-versioning": "bucket",
    "bucket-lock": "bucket",
    "bucket-lifecycle": "bucket",
    "key-rotation": "key",
    "bucket-events": "bucket",
    "event-selectors": "trail",
    "logging": "trail",
    "rule-target": "rule",
    "group-policy": "group",
    "membership": "user",
    "role-policy": "role",
    "profile-role": "instance-profile",
}
