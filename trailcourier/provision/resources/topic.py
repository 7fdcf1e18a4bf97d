"""The topic that CloudTrail announces log files on, and the queue's subscription to it."""

from typing import Any

from trailcourier.provision import policies
from trailcourier.provision.layout import Layout
from trailcourier.provision.resources.key import arn
from trailcourier.provision.steps import MERGED, Call, Fields, Known, Statements, Step, caller

_GONE = frozenset({"NotFound", "NotFoundException"})


def _attributes(layout: Layout) -> Call:
    call = caller("sns", layout.topic_region)
    return call("GetTopicAttributes", TopicArn=layout.topic_arn)


def _set(layout: Layout, name: str, value: Any) -> Call:
    call = caller("sns", layout.topic_region)
    return call(
        "SetTopicAttributes",
        TopicArn=layout.topic_arn,
        AttributeName=name,
        AttributeValue=value,
    )


def existing(layout: Layout) -> Step:
    return Step(
        id="topic",
        words=f"SNS topic {layout.topic_arn}, which is there already, announces the log files",
        resource=layout.topic_arn,
        look=(_attributes(layout),),
        absent=_GONE,
        make=(),
        adds=True,
    )


def topic(layout: Layout) -> Step:
    call = caller("sns", layout.topic_region)
    wanted = {"KmsMasterKeyId": arn(layout)} if layout.encrypted("topic") else {}
    create: dict[str, Any] = {"Name": layout.name, "Tags": layout.tags}
    if wanted:
        create["Attributes"] = wanted
    return Step(
        id="topic",
        words=f"SNS topic {layout.name} in {layout.region} announces every log file",
        resource=layout.topic_arn,
        look=(_attributes(layout),),
        want=Fields("Attributes", wanted),
        absent=_GONE,
        make=(call("CreateTopic", **create),),
        mend=tuple(_set(layout, name, value) for name, value in wanted.items()),
        undo=(call("DeleteTopic", TopicArn=layout.topic_arn),),
        mark=call("ListTagsForResource", ResourceArn=layout.topic_arn),
    )


def policy(layout: Layout) -> Step:
    put = _set(layout, "Policy", MERGED)
    return Step(
        id="topic-policy",
        words="the topic's policy lets CloudTrail publish, for this trail alone",
        resource=layout.topic_arn,
        look=(_attributes(layout),),
        want=Statements("Attributes.Policy", policies.topic(layout)),
        absent=_GONE,
        make=(put,),
        undo=(put,),
        adds=True,
    )


def subscription(layout: Layout) -> Step:
    call = caller("sns", layout.topic_region)
    raw = "true" if layout.request.raw else "false"
    shape = "bare, without SNS's envelope" if layout.request.raw else "in SNS's envelope"
    one = {"SubscriptionArn": Known("subscription_arn")}
    # of a subscription there are no permissions of its own: on="*"
    return Step(
        id="subscription",
        words=f"queue {layout.queue} is subscribed to the topic; messages come {shape}",
        resource=layout.topic_arn,
        look=(
            _listing(layout),
            call("GetSubscriptionAttributes", on="*", **one),
        ),
        want=Fields("Attributes", {"RawMessageDelivery": raw}),
        absent=_GONE,
        make=(
            call(
                "Subscribe",
                TopicArn=layout.topic_arn,
                Protocol="sqs",
                Endpoint=layout.queue_arn,
                Attributes={"RawMessageDelivery": raw},
                ReturnSubscriptionArn=True,
            ),
        ),
        mend=(
            call(
                "SetSubscriptionAttributes",
                on="*",
                **one,
                AttributeName="RawMessageDelivery",
                AttributeValue=raw,
            ),
        ),
        undo=(call("Unsubscribe", on="*", **one),),
        adds=True,
        foreign=layout.foreign_topic,
    )


def _listing(layout: Layout) -> Call:
    """Ask for the confirmed subscription of our queue."""
    call = caller("sns", layout.topic_region)
    ours = (
        f"Subscriptions[?TopicArn=='{layout.topic_arn}' && Endpoint=='{layout.queue_arn}' "
        "&& SubscriptionArn!='PendingConfirmation']"
    )
    gives = {"subscription_arn": f"{ours}.SubscriptionArn | [0]"}
    if layout.foreign_topic:  # it does not tell us its subscriptions; our account tells its own
        return call("ListSubscriptions", gives, on="*")
    return call("ListSubscriptionsByTopic", gives, TopicArn=layout.topic_arn)
