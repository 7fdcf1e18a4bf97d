"""The steps for the EventBridge rule that sends the bucket's events to the queue."""

from trailcourier.provision.names import Layout
from trailcourier.provision.resources.bucket import key_filter
from trailcourier.provision.steps import Fields, Step, call_factory

TARGET = "queue"


def rule(layout: Layout) -> Step:
    call = call_factory("events", layout.region)
    # a pattern takes a prefix or a suffix, not both; the prefix also matches digest files, which
    # the collector recognizes by their names and skips
    match = dict([next(iter(key_filter(layout).items()))])
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [layout.bucket]}, "object": {"key": [match]}},
    }
    wanted = {"EventPattern": pattern, "State": "ENABLED"}
    return Step(
        id="rule",
        summary=f"EventBridge rule {layout.name} matches new log files in bucket {layout.bucket}",
        resource=layout.rule_arn,
        read_calls=(call("DescribeRule", Name=layout.name),),
        expected=Fields("@", wanted),
        create_calls=(call("PutRule", Name=layout.name, **wanted, Tags=layout.tags),),
        update_calls=(call("PutRule", Name=layout.name, **wanted),),
        delete_calls=(call("DeleteRule", Name=layout.name),),
        tags_call=call("ListTagsForResource", ResourceARN=layout.rule_arn),
    )


def target(layout: Layout) -> Step:
    call = call_factory("events", layout.region)
    ours = f"Targets[?Id=='{TARGET}'].Arn | [0]"
    return Step(
        id="rule-target",
        summary=f"EventBridge rule {layout.name} sends matched events to queue {layout.queue}",
        resource=layout.rule_arn,
        read_calls=(call("ListTargetsByRule", {"target_arn": ours}, Rule=layout.name),),
        expected=Fields(f"Targets[?Id=='{TARGET}'] | [0]", {"Arn": layout.queue_arn}),
        create_calls=(
            call(
                "PutTargets",
                Rule=layout.name,
                Targets=[{"Id": TARGET, "Arn": layout.queue_arn}],
            ),
        ),
        delete_calls=(call("RemoveTargets", Rule=layout.name, Ids=[TARGET]),),
        parent="rule",
    )
