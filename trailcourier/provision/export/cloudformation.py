"""Export the plan as a CloudFormation template in JSON."""

import json
from collections.abc import Sequence
from typing import Any

from trailcourier.errors import ConfigError
from trailcourier.provision.export import by_hand
from trailcourier.provision.export.references import References
from trailcourier.provision.export.stack_resources import PARTS, RESOURCES, notifies_queue
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Step

CONSOLES = {  # partition -> the host of CloudFormation's console in a region
    "aws": "{}.console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "{}.console.amazonaws.cn",
}
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
    metadata: dict[str, Any] = _explain_quick_create(layout)
    if notes := list(by_hand.list_notes(layout, steps)):
        metadata["ByHand"] = notes
    if metadata:
        document["Metadata"] = metadata
    if layout.request.reader == "cross-account":
        document["Parameters"] = {"ExternalId": {"Type": "String", "NoEcho": True}}
    document["Resources"] = _resources(layout, ours)
    document["Outputs"] = _outputs(layout, ours)
    return json.dumps(document, indent=2) + "\n"


def _explain_quick_create(layout: Layout) -> dict[str, str]:
    """Return how to make a link to a filled-in form, where the console's address is known."""
    if layout.partition not in CONSOLES:
        return {}
    console = CONSOLES[layout.partition].format(layout.region)
    query = f"region={layout.region}#/stacks/quickcreate?stackName={layout.name}&templateURL=URL"
    text = (
        "For a link to a filled-in form that creates the stack, put this file into a bucket and "
        f"its address in place of URL: https://{console}/cloudformation/home?{query}"
    )
    return {"QuickCreate": text}


def _outputs(layout: Layout, steps: Sequence[Step]) -> dict[str, Any]:
    """Return what the collector's configuration and other stacks need to know."""
    declared = {step.id for step in steps}
    values: dict[str, Any] = {
        "QueueUrl": {"Ref": "Queue"},
        "QueueArn": {"Fn::GetAtt": ["Queue", "Arn"]},
        "BucketName": layout.bucket,
        "BucketRegion": layout.bucket_region,
    }
    by_step = (
        ("topic", "TopicArn", {"Ref": "Topic"}),
        ("trail", "TrailArn", {"Fn::GetAtt": ["Trail", "Arn"]}),
        ("key", "KeyArn", {"Fn::GetAtt": ["Key", "Arn"]}),
        ("user", "ReaderArn", {"Fn::GetAtt": ["User", "Arn"]}),
        ("role", "ReaderArn", {"Fn::GetAtt": ["Role", "Arn"]}),
    )
    values |= {output: value for step, output, value in by_step if step in declared}
    return {name: {"Value": value} for name, value in values.items()}


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
        if step.id == "bucket" and notifies_queue(by_id):  # S3 tries to send when it is told to
            before.append("QueuePolicy")
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
