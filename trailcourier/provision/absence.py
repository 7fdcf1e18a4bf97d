"""Which error codes of AWS mean "there is none"; any other error leaves open what exists."""

from collections.abc import Mapping

from trailcourier.aws.calls import AwsCall

_TRAIL = frozenset({"TrailNotFoundException"})
_QUEUE = frozenset({"NonExistentQueue", "QueueDoesNotExist"})
_TOPIC = frozenset({"NotFound", "NotFoundException"})
_RULE = frozenset({"ResourceNotFoundException"})
_PARENT: Mapping[str, frozenset[str]] = {  # service -> the resource that the call names is missing
    "s3": frozenset({"404", "NoSuchBucket"}),
    "sqs": _QUEUE,
    "sns": _TOPIC,
    "events": _RULE,
    "cloudtrail": _TRAIL,
    "iam": frozenset({"NoSuchEntity"}),
}
_OWN: Mapping[str, frozenset[str]] = {  # call -> what the call reads is missing
    "s3:HeadBucket": _PARENT["s3"],
    "s3:GetBucketPolicy": frozenset({"NoSuchBucketPolicy"}),
    "s3:GetPublicAccessBlock": frozenset({"NoSuchPublicAccessBlockConfiguration"}),
    "s3:GetObjectLockConfiguration": frozenset({"ObjectLockConfigurationNotFoundError"}),
    "s3:GetBucketLifecycleConfiguration": frozenset({"NoSuchLifecycleConfiguration"}),
    "s3:GetBucketTagging": frozenset({"NoSuchTagSet", "NoSuchTagSetError"}),
    "sqs:GetQueueUrl": _QUEUE,
    "sns:GetTopicAttributes": _TOPIC,
    "events:DescribeRule": _RULE,
    "cloudtrail:GetTrail": _TRAIL,
    "iam:GetGroup": _PARENT["iam"],
    "iam:GetGroupPolicy": _PARENT["iam"],
    "iam:GetUser": _PARENT["iam"],
    "iam:GetRole": _PARENT["iam"],
    "iam:GetRolePolicy": _PARENT["iam"],
    "iam:GetInstanceProfile": _PARENT["iam"],
}


def list_codes(call: AwsCall, *, parent: bool = False) -> frozenset[str]:
    """Return the codes that mean: what *call* reads does not exist.

    With *parent*, those that say that the resource it belongs to does not exist are among them: a
    plan also reads the parts of resources that are yet to be created.
    """
    own = _OWN.get(str(call), frozenset())
    return own | _PARENT.get(call.service, frozenset()) if parent else own
