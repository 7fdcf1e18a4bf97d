"""The service principals that send to a queue; pure.

Across regions, SNS needs a principal of the opt-in region that takes part:
https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html
"""

from trailcourier.provision.names import Layout

CLOUDTRAIL = "cloudtrail.amazonaws.com"  # the same in every partition, like sns, s3 and events
_BY_DELIVERY = {"s3": "s3.amazonaws.com", "eventbridge": "events.amazonaws.com"}
# AWS enables every other region of the standard partition on request
_ENABLED_BY_DEFAULT = frozenset(
    {"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"}
    | {"eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"}
    | {"ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"}
)


def queue_sender(layout: Layout) -> dict[str, str]:
    """Return the principal that sends to the queue: of SNS, S3 or EventBridge."""
    delivery = layout.request.delivery
    if delivery != "sns":
        return {"Service": _BY_DELIVERY[delivery]}
    return {"Service": _sns(layout.topic_region, layout.region, layout.partition)}


def _sns(topic_region: str, queue_region: str, partition: str) -> str:
    if partition != "aws" or topic_region == queue_region:
        return "sns.amazonaws.com"
    for region in (queue_region, topic_region):
        if region not in _ENABLED_BY_DEFAULT:
            return f"sns.{region}.amazonaws.com"
    return "sns.amazonaws.com"
