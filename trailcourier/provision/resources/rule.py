"""The EventBridge rule that carries the bucket's announcements to the queue."""

from trailcourier.provision.layout import Layout
from trailcourier.provision.resources.bucket import keys
from trailcourier.provision.steps import Fields, Step, caller

_GONE = frozenset({"ResourceNotFoundException"})
TARGET = "queue"


def rule(layout: Layout) -> Step:
    call = caller("events", layout.region)
    # a pattern takes either a beginning or an ending; digests, which the beginning lets through,
    # are known by their names and skipped
    one = dict([next(iter(keys(layout).items()))])
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [layout.bucket]}, "object": {"key": [one]}},
    }
    wanted = {"EventPattern": pattern, "State": "ENABLED"}
    return Step(
        id="rule",
        words=f"EventBridge rule {layout.name} picks the bucket's new log files",
        resource=layout.rule_arn,
        look=(call("DescribeRule", Name=layout.name),),
        want=Fields("@", wanted),
        absent=_GONE,
        make=(call("PutRule", Name=layout.name, **wanted, Tags=layout.tags),),
        mend=(call("PutRule", Name=layout.name, **wanted),),
        undo=(call("DeleteRule", Name=layout.name),),
        mark=call("ListTagsForResource", ResourceARN=layout.rule_arn),
    )


def target(layout: Layout) -> Step:
    call = caller("events", layout.region)
    ours = f"Targets[?Id=='{TARGET}'].Arn | [0]"
    return Step(
        id="rule-target",
        words=f"the rule sends to queue {layout.queue}",
        resource=layout.rule_arn,
        look=(call("ListTargetsByRule", {"target_arn": ours}, Rule=layout.name),),
        want=Fields(f"Targets[?Id=='{TARGET}'] | [0]", {"Arn": layout.queue_arn}),
        absent=_GONE,
        make=(
            call(
                "PutTargets",
                Rule=layout.name,
                Targets=[{"Id": TARGET, "Arn": layout.queue_arn}],
            ),
        ),
        undo=(call("RemoveTargets", Rule=layout.name, Ids=[TARGET]),),
        of="rule",
    )
