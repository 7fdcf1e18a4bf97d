"""The steps for the bucket: itself, its policy and its notifications."""

from typing import Any

from trailcourier.provision import policies
from trailcourier.provision.documents import BucketNotification, Statements
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import MERGED, Fields, Step, call_factory

_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ANY_VERSION = "(Versions || DeleteMarkers)[0].Key"
KEEP_REASON = (
    "it holds objects, and setup deletes no log files: if nobody needs them, empty it yourself, "
    "then run this again"
)


def existing(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    return Step(
        id="bucket",
        summary=f"existing S3 bucket {layout.bucket} holds the log files",
        resource=layout.bucket_arn,
        read_calls=(call("HeadBucket", ExpectedBucketOwner=layout.account),),
        create_calls=(),
        additive=True,
    )


def bucket(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    region = layout.bucket_region
    configuration: dict[str, Any] = {"Tags": layout.tags}
    lock = {"ObjectLockEnabledForBucket": True} if layout.request.lock_days else {}
    if region != "us-east-1":  # S3 refuses its default region as a constraint
        configuration["LocationConstraint"] = region
    return Step(
        id="bucket",
        summary=f"S3 bucket {layout.bucket} in {region} holds the log files",
        resource=layout.bucket_arn,
        read_calls=(call("HeadBucket", ExpectedBucketOwner=layout.account),),
        create_calls=(
            call("CreateBucket", CreateBucketConfiguration=configuration, **lock),
            # again, for servers that ignore the tags of CreateBucket
            call("PutBucketTagging", Tagging={"TagSet": layout.tags}),
        ),
        delete_calls=(call("DeleteBucket"),),
        in_use_calls=(call("ListObjectVersions", {"version": _ANY_VERSION}, MaxKeys=1),),
        in_use_reason=KEEP_REASON,
        tags_call=call("GetBucketTagging"),
    )


def public_access_block(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    return Step(
        id="bucket-privacy",
        summary=f"S3 bucket {layout.bucket} blocks all public access",
        resource=layout.bucket_arn,
        read_calls=(call("GetPublicAccessBlock"),),
        expected=Fields("PublicAccessBlockConfiguration", _BLOCKED),
        create_calls=(call("PutPublicAccessBlock", PublicAccessBlockConfiguration=_BLOCKED),),
        parent="bucket",
    )


def versioning(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    enabled = {"Status": "Enabled"}
    return Step(
        id="bucket-versioning",
        summary=f"S3 bucket {layout.bucket} keeps versions, so that nothing is overwritten",
        resource=layout.bucket_arn,
        read_calls=(call("GetBucketVersioning"),),
        expected=Fields("@", enabled),
        create_calls=(call("PutBucketVersioning", VersioningConfiguration=enabled),),
        parent="bucket",
    )


def object_lock(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    days = layout.request.lock_days
    retention = {"Mode": "GOVERNANCE", "Days": days}
    wanted = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    return Step(
        id="bucket-lock",
        summary=f"S3 bucket {layout.bucket} lets nobody delete a log file for {days} days",
        resource=layout.bucket_arn,
        read_calls=(call("GetObjectLockConfiguration"),),
        expected=Fields("ObjectLockConfiguration.Rule.DefaultRetention", retention),
        create_calls=(call("PutObjectLockConfiguration", ObjectLockConfiguration=wanted),),
        parent="bucket",
    )


def lifecycle(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    days = layout.request.expire_days
    rule = {
        "ID": layout.name,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }
    put = call("PutBucketLifecycleConfiguration", LifecycleConfiguration={"Rules": [rule]})
    return Step(
        id="bucket-lifecycle",
        summary=f"S3 bucket {layout.bucket} deletes log files after {days} days",
        resource=layout.bucket_arn,
        read_calls=(call("GetBucketLifecycleConfiguration"),),
        expected=Fields("@", {"Rules": [rule]}),
        create_calls=(put,),
        parent="bucket",
    )


def policy(layout: Layout) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    put = call("PutBucketPolicy", Policy=MERGED)
    statements, also = policies.bucket_statements(layout), ""
    # an emulator that is reached over plain HTTP would deny the collector too
    if not layout.request.existing_bucket and not layout.facts.plain_http:
        statements = (*statements, policies.secure_transport_statement(layout))
        also = ", and denies plain HTTP"
    return Step(
        id="bucket-policy",
        summary=(
            f"the policy of bucket {layout.bucket} lets CloudTrail write, for this trail only{also}"
        ),
        resource=layout.bucket_arn,
        read_calls=(call("GetBucketPolicy"),),
        expected=Statements("Policy", statements),
        create_calls=(put,),
        delete_calls=(put, call("DeleteBucketPolicy")),
        additive=True,
    )


def key_filter(layout: Layout) -> dict[str, str]:
    """Return the prefix and the suffix of log files' keys, as far as they are known."""
    if not layout.request.trail:  # the trail's owner chose the prefix
        prefix = {"prefix": layout.log_prefix} if layout.request.prefix else {}
        return {**prefix, "suffix": ".json.gz"}
    below = "" if layout.request.organization else f"{layout.account}/CloudTrail"
    return {"prefix": layout.log_prefix + below, "suffix": ".json.gz"}


def notify_queue(layout: Layout) -> Step:
    rules = [{"Name": name, "Value": value} for name, value in key_filter(layout).items()]
    entry = {
        "Id": layout.name,
        "QueueArn": layout.queue_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    return _notification_step(
        layout,
        f"bucket {layout.bucket} notifies queue {layout.queue} of every new log file",
        BucketNotification("QueueConfigurations", entry),
    )


def notify_eventbridge(layout: Layout) -> Step:
    return _notification_step(
        layout,
        f"bucket {layout.bucket} notifies EventBridge of every new object",
        BucketNotification("EventBridgeConfiguration", {}),
    )


def _notification_step(layout: Layout, summary: str, expected: BucketNotification) -> Step:
    call = call_factory("s3", layout.bucket_region, Bucket=layout.bucket)
    put = call("PutBucketNotificationConfiguration", NotificationConfiguration=MERGED)
    return Step(
        id="bucket-events",
        summary=summary,
        resource=layout.bucket_arn,
        read_calls=(call("GetBucketNotificationConfiguration"),),
        expected=expected,
        create_calls=(put,),
        delete_calls=(put,),
        additive=True,
    )
