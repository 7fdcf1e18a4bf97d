"""The bucket that CloudTrail writes to, who may write there, and whom it tells."""

from typing import Any

from trailcourier.provision import policies
from trailcourier.provision.layout import Layout
from trailcourier.provision.steps import MERGED, Fields, Notification, Statements, Step, caller

_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_GONE = frozenset({"404", "NoSuchBucket"})
LEFT = (
    "it holds objects, and log files are not setup's to delete: empty it yourself if nobody "
    "needs them, then run this again"
)


def existing(layout: Layout) -> Step:
    call = caller("s3", layout.bucket_region, Bucket=layout.bucket)
    return Step(
        id="bucket",
        words=f"S3 bucket {layout.bucket}, which is there already, holds the log files",
        resource=layout.bucket_arn,
        look=(call("HeadBucket", ExpectedBucketOwner=layout.account),),
        absent=_GONE,
        make=(),
        adds=True,
    )


def bucket(layout: Layout) -> Step:
    call = caller("s3", layout.bucket_region, Bucket=layout.bucket)
    where = layout.bucket_region
    configuration: dict[str, Any] = {"Tags": layout.tags}
    if where != "us-east-1":  # which S3 takes for granted, and does not want to hear
        configuration["LocationConstraint"] = where
    return Step(
        id="bucket",
        words=f"S3 bucket {layout.bucket} in {where} holds the log files",
        resource=layout.bucket_arn,
        look=(call("HeadBucket", ExpectedBucketOwner=layout.account),),
        absent=_GONE,
        make=(
            call("CreateBucket", CreateBucketConfiguration=configuration),
            # once more, for servers that do not take tags with a new bucket
            call("PutBucketTagging", Tagging={"TagSet": layout.tags}),
        ),
        undo=(call("DeleteBucket"),),
        mark=call("GetBucketTagging"),
    )


def privacy(layout: Layout) -> Step:
    call = caller("s3", layout.bucket_region, Bucket=layout.bucket)
    return Step(
        id="bucket-privacy",
        words=f"nothing in bucket {layout.bucket} can be made public",
        resource=layout.bucket_arn,
        look=(call("GetPublicAccessBlock"),),
        want=Fields("PublicAccessBlockConfiguration", _BLOCKED),
        absent=_GONE | {"NoSuchPublicAccessBlockConfiguration"},
        make=(call("PutPublicAccessBlock", PublicAccessBlockConfiguration=_BLOCKED),),
        of="bucket",
    )


def policy(layout: Layout) -> Step:
    call = caller("s3", layout.bucket_region, Bucket=layout.bucket)
    put = call("PutBucketPolicy", Policy=MERGED)
    return Step(
        id="bucket-policy",
        words=f"the policy of bucket {layout.bucket} lets CloudTrail write, for this trail alone",
        resource=layout.bucket_arn,
        look=(call("GetBucketPolicy"),),
        want=Statements("Policy", policies.bucket(layout)),
        absent=_GONE | {"NoSuchBucketPolicy"},
        make=(put,),
        undo=(put, call("DeleteBucketPolicy")),
        adds=True,
    )


def keys(layout: Layout) -> dict[str, str]:
    """What the keys of log files begin with and end with, as far as it is known."""
    if not layout.request.trail:  # somebody else's, with a prefix of theirs
        return {"suffix": ".json.gz"}
    below = "" if layout.request.organization else f"{layout.account}/CloudTrail"
    return {"prefix": layout.logs + below, "suffix": ".json.gz"}


def to_queue(layout: Layout) -> Step:
    rules = [{"Name": name, "Value": value} for name, value in keys(layout).items()]
    entry = {
        "Id": layout.name,
        "QueueArn": layout.queue_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    return _notification(
        layout,
        f"bucket {layout.bucket} announces every new log file straight to queue {layout.queue}",
        Notification("QueueConfigurations", entry),
    )


def to_eventbridge(layout: Layout) -> Step:
    return _notification(
        layout,
        f"bucket {layout.bucket} tells EventBridge of every new object",
        Notification("EventBridgeConfiguration", {}),
    )


def _notification(layout: Layout, words: str, want: Notification) -> Step:
    call = caller("s3", layout.bucket_region, Bucket=layout.bucket)
    put = call("PutBucketNotificationConfiguration", NotificationConfiguration=MERGED)
    return Step(
        id="bucket-events",
        words=words,
        resource=layout.bucket_arn,
        look=(call("GetBucketNotificationConfiguration"),),
        want=want,
        absent=_GONE,
        make=(put,),
        undo=(put,),
        adds=True,
    )
