"""The steps for the topic that CloudTrail publishes to, and the queue's subscription to it."""

from typing import Any

from trailcourier.aws.calls import AwsCall
from trailcourier.provision import policies
from trailcourier.provision.documents import Statements
from trailcourier.provision.names import Layout
from trailcourier.provision.resources.key import key_arn
from trailcourier.provision.steps import MERGED, Fields, Placeholder, Step, call_factory


def _get_attributes(layout: Layout) -> AwsCall:
    call = call_factory("sns", layout.topic_region)
    return call("GetTopicAttributes", TopicArn=layout.topic_arn)


def _set_attribute(layout: Layout, name: str, value: Any) -> AwsCall:
    call = call_factory("sns", layout.topic_region)
    return call(
        "SetTopicAttributes",
        TopicArn=layout.topic_arn,
        AttributeName=name,
        AttributeValue=value,
    )


def existing(layout: Layout) -> Step:
    return Step(
        id="topic",
        summary=f"existing SNS topic {layout.topic_arn} announces the log files",
        resource=layout.topic_arn,
        read_calls=(_get_attributes(layout),),
        create_calls=(),
        additive=True,
    )


def topic(layout: Layout) -> Step:
    call = call_factory("sns", layout.topic_region)
    wanted = {"KmsMasterKeyId": key_arn(layout)} if layout.encrypts("topic") else {}
    create: dict[str, Any] = {"Name": layout.name, "Tags": layout.tags}
    if wanted:
        create["Attributes"] = wanted
    return Step(
        id="topic",
        summary=f"SNS topic {layout.name} in {layout.region} announces every log file",
        resource=layout.topic_arn,
        read_calls=(_get_attributes(layout),),
        expected=Fields("Attributes", wanted),
        create_calls=(call("CreateTopic", **create),),
        update_calls=tuple(_set_attribute(layout, name, value) for name, value in wanted.items()),
        delete_calls=(call("DeleteTopic", TopicArn=layout.topic_arn),),
        tags_call=call("ListTagsForResource", ResourceArn=layout.topic_arn),
    )


def policy(layout: Layout) -> Step:
    put = _set_attribute(layout, "Policy", MERGED)
    return Step(
        id="topic-policy",
        summary=(
            f"the policy of topic {layout.topic_name} lets CloudTrail publish, for this trail only"
        ),
        resource=layout.topic_arn,
        read_calls=(_get_attributes(layout),),
        expected=Statements("Attributes.Policy", policies.topic_statements(layout)),
        create_calls=(put,),
        delete_calls=(put,),
        additive=True,
    )


def subscription(layout: Layout) -> Step:
    call = call_factory("sns", layout.topic_region)
    raw = "true" if layout.request.raw else "false"
    form = "without SNS's envelope" if layout.request.raw else "in SNS's envelope"
    by_arn = {"SubscriptionArn": Placeholder("subscription_arn")}
    # IAM knows no permissions on a single subscription: resource="*"
    return Step(
        id="subscription",
        summary=f"queue {layout.queue} is subscribed to topic {layout.topic_name}, {form}",
        resource=layout.topic_arn,
        read_calls=(
            _find_subscription(layout),
            call("GetSubscriptionAttributes", resource="*", **by_arn),
        ),
        expected=Fields("Attributes", {"RawMessageDelivery": raw}),
        create_calls=(
            call(
                "Subscribe",
                TopicArn=layout.topic_arn,
                Protocol="sqs",
                Endpoint=layout.queue_arn,
                Attributes={"RawMessageDelivery": raw},
                ReturnSubscriptionArn=True,
            ),
        ),
        update_calls=(
            call(
                "SetSubscriptionAttributes",
                resource="*",
                **by_arn,
                AttributeName="RawMessageDelivery",
                AttributeValue=raw,
            ),
        ),
        delete_calls=(call("Unsubscribe", resource="*", **by_arn),),
        additive=True,
        other_account=layout.topic_in_other_account,
    )


def _find_subscription(layout: Layout) -> AwsCall:
    """Return the call that finds our queue's confirmed subscription."""
    call = call_factory("sns", layout.topic_region)
    ours = (
        f"Subscriptions[?TopicArn=='{layout.topic_arn}' && Endpoint=='{layout.queue_arn}' "
        "&& SubscriptionArn!='PendingConfirmation']"
    )
    outputs = {"subscription_arn": f"{ours}.SubscriptionArn | [0]"}
    if layout.topic_in_other_account:  # only its owner may list by topic; we list our account's
        return call("ListSubscriptions", outputs, resource="*")
    return call("ListSubscriptionsByTopic", outputs, TopicArn=layout.topic_arn)
