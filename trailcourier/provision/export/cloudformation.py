"""The plan as a CloudFormation template, in JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trailcourier.errors import ConfigError
from trailcourier.provision import documents
from trailcourier.provision.export import by_hand
from trailcourier.provision.export.declared import Declared
from trailcourier.provision.layout import Layout
from trailcourier.provision.steps import Known, Notification, Statements, Step

Properties = dict[str, Any]
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}  # log files, and their key


def template(layout: Layout, steps: Sequence[Step]) -> str:
    """Write the template; what it cannot declare is in its metadata, for whoever deploys it.

    Raises ConfigError for a new bucket in another region than the stack's.
    """
    if layout.bucket_region != layout.region and not layout.request.existing_bucket:
        raise ConfigError(
            ["--bucket-region: a CloudFormation stack makes a bucket in its own region only"]
        )
    ours = [step for step in steps if by_hand.declared(layout, step)]
    whole: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The AWS side of Trailcourier, for a stack in {layout.region}",
    }
    if notes := list(by_hand.notes(layout, steps)):
        whole["Metadata"] = {"ByHand": notes}
    if layout.request.reader == "cross-account":
        whole["Parameters"] = {"ExternalId": {"Type": "String", "NoEcho": True}}
    whole["Resources"] = _resources(layout, ours)
    whole["Outputs"] = {"QueueUrl": {"Value": {"Ref": "Queue"}}}
    return json.dumps(whole, indent=2) + "\n"


def _resources(layout: Layout, steps: Sequence[Step]) -> dict[str, Any]:
    declared = Declared(_reference)
    declared.declare({}, {"external_id": "ExternalId"})
    there = {step.id: step for step in steps}
    resources: dict[str, Any] = {}
    for step in steps:
        if step.id not in RESOURCES:
            continue
        kind, properties, after = RESOURCES[step.id]
        before = [_name(each) for each in after if each in there]
        resources[_name(step.id)] = {
            "Type": kind,
            **(KEPT if step.id in {"bucket", "key"} else {}),
            **({"DependsOn": before} if before else {}),
            "Metadata": {"Plan": by_hand.words(step, steps, PARTS)},
            "Properties": declared.referring(properties(layout, step, there)),
        }
        declared.declare(*_referred(layout, step))
    return resources


def _reference(expression: str) -> dict[str, Any]:
    name, _, attribute = expression.partition(".")
    return {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}


def _referred(layout: Layout, step: Step) -> tuple[dict[str, str], dict[str, str]]:
    at = _name(step.id)
    values = {
        "dead-letter-queue": {layout.arn("sqs", layout.dead): f"{at}.Arn"},
        "queue": {layout.queue_arn: f"{at}.Arn"},
        "topic": {layout.topic_arn: at},
        "rule": {layout.rule_arn: f"{at}.Arn"},
    }
    known = {"key": {"key_arn": f"{at}.Arn"}, "queue": {"queue_url": at}}
    return values.get(step.id, {}), known.get(step.id, {})


def _name(id_: str) -> str:
    return id_.title().replace("-", "")


def _typed(values: Mapping[str, Any]) -> Properties:
    """*values* with numbers and truths as such."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _policy(step: Step) -> dict[str, Any]:
    wanted = step.want
    return documents.policy(wanted.statements if isinstance(wanted, Statements) else ())


def _queue(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    made = step.make[0].parameters
    return {
        "QueueName": made["QueueName"],
        **_typed(made["Attributes"]),
        "Tags": layout.tags,
    }


def _queue_policy(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    del layout
    return {"Queues": [Known("queue_url")], "PolicyDocument": _policy(step)}


def _bucket(layout: Layout, _: Step, there: Mapping[str, Step]) -> Properties:
    private = there["bucket-privacy"].make[0].parameters["PublicAccessBlockConfiguration"]
    return {
        "BucketName": layout.bucket,
        "PublicAccessBlockConfiguration": private,
        **_events(there),
        "Tags": layout.tags,
    }


def _events(there: Mapping[str, Step]) -> Properties:
    want = there["bucket-events"].want if "bucket-events" in there else None
    match want:
        case Notification("QueueConfigurations", entry):
            rules = entry["Filter"]["Key"]["FilterRules"]
            each = {
                "Event": entry["Events"][0],
                "Queue": entry["QueueArn"],
                "Filter": {"S3Key": {"Rules": rules}},
            }
            return {"NotificationConfiguration": {"QueueConfigurations": [each]}}
        case Notification():
            on = {"EventBridgeEnabled": True}
            return {"NotificationConfiguration": {"EventBridgeConfiguration": on}}
        case _:
            return {}


def _bucket_policy(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    return {"Bucket": layout.bucket, "PolicyDocument": _policy(step)}


def _topic(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    made = step.make[0].parameters
    return {"TopicName": layout.name, **made.get("Attributes", {}), "Tags": layout.tags}


def _topic_policy(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    return {"Topics": [layout.topic_arn], "PolicyDocument": _policy(step)}


def _subscription(layout: Layout, _: Step, __: Mapping[str, Step]) -> Properties:
    where = layout.topic_region
    return {
        "TopicArn": layout.topic_arn,
        "Protocol": "sqs",
        "Endpoint": layout.queue_arn,
        "RawMessageDelivery": layout.request.raw,
        **({} if where == layout.region else {"Region": where}),
    }


def _trail(_: Layout, step: Step, there: Mapping[str, Step]) -> Properties:
    made = dict(step.make[0].parameters)
    tags, name = made.pop("TagsList"), made.pop("Name")
    made.pop("RecursiveLogging")  # CloudFormation does not document it
    if "KmsKeyId" in made:
        made["KMSKeyId"] = made.pop("KmsKeyId")
    selectors = there["event-selectors"].make[0].parameters["EventSelectors"]
    return {
        "TrailName": name,
        "IsLogging": True,
        **made,
        "EventSelectors": selectors,
        "Tags": tags,
    }


def _key(layout: Layout, step: Step, _: Mapping[str, Step]) -> Properties:
    made = step.make[0].parameters
    return {"Description": made["Description"], "KeyPolicy": made["Policy"], "Tags": layout.tags}


def _rule(layout: Layout, step: Step, there: Mapping[str, Step]) -> Properties:
    made = step.make[0].parameters
    return {
        "Name": layout.name,
        "EventPattern": made["EventPattern"],
        "State": made["State"],
        "Targets": there["rule-target"].make[0].parameters["Targets"],
    }


def _inline(layout: Layout, step: Step) -> list[Properties]:
    document = step.make[0].parameters["PolicyDocument"]
    return [{"PolicyName": layout.name, "PolicyDocument": document}]


def _group(layout: Layout, step: Step, there: Mapping[str, Step]) -> Properties:
    return {
        "GroupName": layout.name,
        "Path": step.make[0].parameters["Path"],
        "Policies": _inline(layout, there["group-policy"]),
    }


def _user(layout: Layout, _: Step, __: Mapping[str, Step]) -> Properties:
    return {"UserName": layout.name, "Groups": [{"Ref": "Group"}], "Tags": layout.tags}


def _role(layout: Layout, step: Step, there: Mapping[str, Step]) -> Properties:
    made = step.make[0].parameters
    return {
        "RoleName": layout.name,
        "Description": made["Description"],
        "AssumeRolePolicyDocument": made["AssumeRolePolicyDocument"],
        "Policies": _inline(layout, there["role-policy"]),
        "Tags": layout.tags,
    }


def _profile(layout: Layout, _: Step, __: Mapping[str, Step]) -> Properties:
    return {"InstanceProfileName": layout.name, "Roles": [{"Ref": "Role"}]}


Maker = Callable[[Layout, Step, Mapping[str, Step]], Properties]
# step -> resource, what makes its properties, and the steps it has to come after
RESOURCES: Mapping[str, tuple[str, Maker, tuple[str, ...]]] = {
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
PARTS = {  # step -> the one whose resource has it
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
