"""Export the plan as a CloudFormation template in JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trailcourier.errors import ConfigError
from trailcourier.provision import documents
from trailcourier.provision.documents import BucketNotification
from trailcourier.provision.export import by_hand
from trailcourier.provision.export.references import References, typed
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Placeholder, Step

Properties = dict[str, Any]
# log files, and the key without which nobody can read them, outlive the stack
RETAIN = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def template(layout: Layout, steps: Sequence[Step]) -> str:
    """Return the template; its metadata say what it cannot declare and what to do by hand.

    Raises ConfigError for a new bucket in another region than the stack's.
    """
    if layout.bucket_region != layout.region and not layout.request.existing_bucket:
        text = "a CloudFormation stack creates a bucket in its own region only"
        raise ConfigError([f"--bucket-region: {text}: leave it out, or export another format"])
    ours = [step for step in steps if by_hand.is_declared(layout, step)]
    document: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The AWS side of Trailcourier, for a stack in {layout.region}",
    }
    if notes := list(by_hand.list_notes(layout, steps)):
        document["Metadata"] = {"ByHand": notes}
    if layout.request.reader == "cross-account":
        document["Parameters"] = {"ExternalId": {"Type": "String", "NoEcho": True}}
    document["Resources"] = _resources(layout, ours)
    document["Outputs"] = {"QueueUrl": {"Value": {"Ref": "Queue"}}}
    return json.dumps(document, indent=2) + "\n"


def _resources(layout: Layout, steps: Sequence[Step]) -> dict[str, Any]:
    references = References(_reference)
    references.add({}, {"external_id": "ExternalId"})
    by_id = {step.id: step for step in steps}
    resources: dict[str, Any] = {}
    for step in steps:
        if step.id not in RESOURCES:
            continue
        kind, properties, dependencies = RESOURCES[step.id]
        before = [_name(each) for each in dependencies if each in by_id]
        resources[_name(step.id)] = {
            "Type": kind,
            **(RETAIN if step.id in {"bucket", "key"} else {}),
            **({"DependsOn": before} if before else {}),
            "Metadata": {"Plan": by_hand.list_summaries(step, steps, PARTS)},
            "Properties": references.replace_in(properties(layout, step, by_id)),
        }
        references.add(*_referable(layout, step))
    return resources


def _reference(expression: str) -> dict[str, Any]:
    name, _, attribute = expression.partition(".")
    return {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}


def _referable(layout: Layout, step: Step) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values, and the placeholders, by which later resources refer to *step*."""
    name = _name(step.id)
    values = {
        "dead-letter-queue": {layout.arn("sqs", layout.dead_letter_queue): f"{name}.Arn"},
        "queue": {layout.queue_arn: f"{name}.Arn"},
        "topic": {layout.topic_arn: name},
        "rule": {layout.rule_arn: f"{name}.Arn"},
    }
    placeholders = {"key": {"key_arn": f"{name}.Arn"}, "queue": {"queue_url": name}}
    return values.get(step.id, {}), placeholders.get(step.id, {})


def _name(id_: str) -> str:
    return id_.title().replace("-", "")


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
        **_notifications(by_id),
        "Tags": layout.tags,
    }


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
    return {"Description": given["Description"], "KeyPolicy": given["Policy"], "Tags": layout.tags}


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


def _user(layout: Layout, _: Step, __: Mapping[str, Step]) -> Properties:
    return {"UserName": layout.name, "Groups": [{"Ref": "Group"}], "Tags": layout.tags}


def _role(layout: Layout, step: Step, by_id: Mapping[str, Step]) -> Properties:
    given = step.create_calls[0].parameters
    return {
        "RoleName": layout.name,
        "Description": given["Description"],
        "AssumeRolePolicyDocument": given["AssumeRolePolicyDocument"],
        "Policies": _inline_policies(layout, by_id["role-policy"]),
        "Tags": layout.tags,
    }


def _profile(layout: Layout, _: Step, __: Mapping[str, Step]) -> Properties:
    return {"InstanceProfileName": layout.name, "Roles": [{"Ref": "Role"}]}


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
    "bucket-events": "bucket",
    "event-selectors": "trail",
    "logging": "trail",
    "rule-target": "rule",
    "group-policy": "group",
    "membership": "user",
    "role-policy": "role",
    "profile-role": "instance-profile",
}
