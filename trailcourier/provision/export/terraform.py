"""The plan as Terraform's HCL."""

from collections.abc import Iterator, Sequence

from trailcourier.provision.export import by_hand, hcl
from trailcourier.provision.export.declared import Declared
from trailcourier.provision.export.hcl import Block, Encoded, Expression
from trailcourier.provision.export.provider import PARTS, RESOURCES
from trailcourier.provision.layout import TAG, Layout
from trailcourier.provision.steps import Step

HEAD = """\
# The AWS side of Trailcourier, as `trailcourier setup plan` says it.
# Written from the AWS provider's documentation; look at `terraform plan` before you apply it.
"""
NO_RECURSION = """\
# The provider does not document a trail's RecursiveLogging. So that the trail leaves out the events
# of its own deliveries:
#   aws cloudtrail update-trail --region {region} --name {name} --no-recursive-logging
"""


def configuration(layout: Layout, steps: Sequence[Step]) -> str:
    """Write the whole configuration, and as comments what it cannot declare."""
    ours = [step for step in steps if by_hand.declared(layout, step)]
    blocks = [*_opening(layout), *_resources(layout, ours)]
    written = "\n\n".join("\n".join(hcl.lines(block)) for block in blocks)
    notes = "".join(f"# {each}".rstrip() + "\n" for each in by_hand.notes(layout, steps))
    if layout.request.trail:
        notes += NO_RECURSION.format(region=layout.region, name=layout.name)
    return f"{HEAD}\n{written}\n" + (f"\n{notes}" if notes else "")


def _opening(layout: Layout) -> Iterator[Block]:
    provider = {"source": "hashicorp/aws", "version": ">= 6.0"}
    yield Block("terraform", {}, (Block("required_providers", {"aws": provider}),))
    where = {"region": layout.region, "allowed_account_ids": [layout.account]}
    # `setup destroy` knows by this tag what is ours
    tags = Block("default_tags", {"tags": {TAG: layout.name}})
    yield Block('provider "aws"', where, (tags,))
    if layout.request.reader == "cross-account":
        yield Block('variable "external_id"', {"type": Expression("string"), "sensitive": True})


def _resources(layout: Layout, steps: Sequence[Step]) -> Iterator[Block]:
    declared = Declared(Expression)
    declared.declare({}, {"external_id": "var.external_id"})
    there = {step.id: step for step in steps if step.id in RESOURCES}
    for step in there.values():
        kind, arguments, after = RESOURCES[step.id]
        given = arguments(layout, step)
        blocks = [value for value in given.values() if isinstance(value, Block)]
        plain = {name: each for name, each in given.items() if not isinstance(each, Block)}
        if before := [Expression(_address(there[each])) for each in after if each in there]:
            plain["depends_on"] = before
        if step.id == "trail":
            blocks += _selectors(steps)
        head = f'resource "{kind}" "{_name(step)}"'
        words = by_hand.words(step, steps, PARTS)
        yield _referring(declared, Block(head, plain, tuple(blocks), words))
        declared.declare(*_referred(layout, step))


def _referring(declared: Declared, block: Block) -> Block:
    attributes = {
        name: Encoded(declared.referring(value.value))
        if isinstance(value, Encoded)
        else declared.referring(value)
        for name, value in block.attributes.items()
    }
    blocks = tuple(_referring(declared, each) for each in block.blocks)
    return Block(block.head, attributes, blocks, block.comments)


def _selectors(steps: Sequence[Step]) -> Iterator[Block]:
    for step in steps:
        if step.id == "event-selectors":
            (chosen,) = step.make[0].parameters["EventSelectors"]
            resources = tuple(
                Block("data_resource", {"type": each["Type"], "values": each["Values"]})
                for each in chosen["DataResources"]
            )
            both = {"read_write_type": "All", "include_management_events": True}
            yield Block("event_selector", both, resources)


def _referred(layout: Layout, step: Step) -> tuple[dict[str, str], dict[str, str]]:
    """By which values, and which names of what is not known yet, later ones refer to *step*."""
    at = _address(step)
    arns = {
        "dead-letter-queue": layout.arn("sqs", layout.dead),
        "queue": layout.queue_arn,
        "bucket": layout.bucket_arn,
        "topic": layout.topic_arn,
        "rule": layout.rule_arn,
    }
    known = {"key": {"key_arn": f"{at}.arn"}, "queue": {"queue_url": f"{at}.id"}}
    values = {arns[step.id]: f"{at}.arn"} if step.id in arns else {}
    return values, known.get(step.id, {})


def _name(step: Step) -> str:
    return step.id.replace("-", "_")


def _address(step: Step) -> str:
    return f"{RESOURCES[step.id][0]}.{_name(step)}"
