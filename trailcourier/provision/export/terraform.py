"""Export the plan as Terraform configuration in JSON syntax, for a file ``*.tf.json``.

Terraform reads a string as a template, in which ``${...}`` is an expression, and ignores properties
named ``//``: https://developer.hashicorp.com/terraform/language/syntax/json
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.provision.export import by_hand
from trailcourier.provision.export.provider import PARTS, RESOURCES, TAGGED, JsonDocument
from trailcourier.provision.export.references import References
from trailcourier.provision.manual_steps import reader_arn
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import Placeholder, Step

REQUIREMENTS = {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 6.0"}}}
HEAD = (
    "Creates the AWS side of Trailcourier, as `trailcourier setup plan` lists it.",
    "Written from the AWS provider's documentation: read `terraform plan` before you apply it.",
)


def configuration(layout: Layout, steps: Sequence[Step]) -> str:
    """Return the configuration as one file; its first property says what to do by hand."""
    document = {
        **_head(layout, steps),
        "terraform": REQUIREMENTS,
        "provider": {
            "aws": {
                "region": layout.region,
                "allowed_account_ids": [layout.account],
                # by one of these tags `setup destroy` knows what is ours
                "default_tags": {"tags": {each["Key"]: each["Value"] for each in layout.tags}},
            }
        },
        **_variables(layout),
        **_declare_resources(layout, steps),
    }
    return _write(document)


def module(layout: Layout, steps: Sequence[Step]) -> dict[str, str]:
    """Return the files of a module, by name: its caller configures the provider."""
    declared = _declare_resources(layout, steps)
    for kind in declared["resource"].keys() & TAGGED:
        for body in declared["resource"][kind].values():
            body["tags"] = {each["Key"]: each["Value"] for each in layout.tags}
    outputs = {"output": declared.pop("output")}
    files: dict[str, Any] = {
        "main.tf.json": {**_head(layout, steps), **declared},
        "outputs.tf.json": outputs,
        "versions.tf.json": {"terraform": REQUIREMENTS},
    }
    if variables := _variables(layout):
        files["variables.tf.json"] = variables
    return {name: _write(document) for name, document in files.items()}


def _write(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _head(layout: Layout, steps: Sequence[Step]) -> dict[str, Any]:
    return {"//": [*HEAD, *_list_notes(layout, steps)]}


def _variables(layout: Layout) -> dict[str, Any]:
    if layout.request.reader != "cross-account":
        return {}
    return {"variable": {"external_id": {"type": "string", "sensitive": True}}}


def _list_notes(layout: Layout, steps: Sequence[Step]) -> Iterator[str]:
    yield from by_hand.list_notes(layout, steps)
    if layout.request.trail:
        yield (
            "The provider does not document a trail's RecursiveLogging. Run this, so that the "
            "trail excludes the events that its own deliveries cause:"
        )
        where = f"--region {layout.region} --name {layout.name}"
        yield f"  aws cloudtrail update-trail {where} --no-recursive-logging"


def _declare_resources(layout: Layout, every: Sequence[Step]) -> dict[str, Any]:
    """Return the blocks ``locals``, which holds the JSON documents, ``resource`` and ``output``."""
    steps = [step for step in every if by_hand.is_declared(layout, step)]
    references = References(lambda expression: f"${{{expression}}}", _escape)
    references.add({}, {"external_id": "var.external_id"})
    by_id = {step.id: step for step in steps if step.id in RESOURCES}
    documents: dict[str, Any] = {}
    resources: dict[str, Any] = {}
    for step in by_id.values():
        kind, build_arguments, dependencies = RESOURCES[step.id]
        body: dict[str, Any] = {"//": by_hand.list_summaries(step, steps, PARTS)}
        for argument, value in build_arguments(layout, step).items():
            if isinstance(value, JsonDocument):
                name = f"{_name(step)}_{argument}"
                documents[name] = references.replace_in(value.content)
                body[argument] = f"${{jsonencode(local.{name})}}"
            else:
                body[argument] = references.replace_in(value)
        if step.id == "trail":
            body |= references.replace_in(_event_selector(steps))
        if before := [_address(by_id[each]) for each in dependencies if each in by_id]:
            body["depends_on"] = before
        resources.setdefault(kind, {})[_name(step)] = body
        references.add(*_referable(layout, step))
    outputs = {name: {"value": value} for name, value in _outputs(layout, by_id).items()}
    return {
        "locals": documents,
        "resource": resources,
        "output": references.replace_in(outputs),
    }


def _outputs(layout: Layout, declared: Mapping[str, Step]) -> dict[str, Any]:
    """Return what the collector's configuration and other modules need to know."""
    values: dict[str, Any] = {
        "queue_url": Placeholder("queue_url"),
        "queue_arn": layout.queue_arn,
        "bucket": layout.bucket,
        "bucket_region": layout.bucket_region,
    }
    if layout.request.delivery == "sns":
        values["topic_arn"] = layout.topic_arn
    if "key" in declared:
        values["key_arn"] = Placeholder("key_arn")
    if {"user", "role"} & declared.keys():
        values["reader_arn"] = reader_arn(layout)
    return values


def _event_selector(steps: Sequence[Step]) -> dict[str, Any]:
    (step,) = (each for each in steps if each.id == "event-selectors")
    (selector,) = step.create_calls[0].parameters["EventSelectors"]
    data_resources = [
        {"type": each["Type"], "values": each["Values"]} for each in selector["DataResources"]
    ]
    block: dict[str, Any] = {"read_write_type": "All", "include_management_events": True}
    return {"event_selector": {**block, "data_resource": data_resources}}


def _escape(text: str) -> str:
    """Return *text* as a template that means the same literal text."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _referable(layout: Layout, step: Step) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values, and the placeholders, by which later resources refer to *step*."""
    address = _address(step)
    arns = {
        "dead-letter-queue": layout.arn("sqs", layout.dead_letter_queue),
        "queue": layout.queue_arn,
        "bucket": layout.bucket_arn,
        "topic": layout.topic_arn,
        "rule": layout.rule_arn,
        "user": layout.user_arn,
        "role": layout.role_arn,
    }
    placeholders = {"key": {"key_arn": f"{address}.arn"}, "queue": {"queue_url": f"{address}.id"}}
    values = {arns[step.id]: f"{address}.arn"} if step.id in arns else {}
    return values, placeholders.get(step.id, {})


def _name(step: Step) -> str:
    return step.id.replace("-", "_")


def _address(step: Step) -> str:
    return f"{RESOURCES[step.id][0]}.{_name(step)}"
