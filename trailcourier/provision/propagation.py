"""Errors that AWS answers until it knows everywhere what was created a moment ago; pure."""

from collections.abc import Mapping

from trailcourier.aws.calls import AwsAnswer

PATIENCE = 90.0  # seconds; SQS refuses the name of a deleted queue for 60
_TRAIL = {
    "InsufficientSnsTopicPolicyException": "CloudTrail does not know the topic's policy yet",
    "InsufficientS3BucketPolicyException": "CloudTrail does not know the bucket's policy yet",
    "InsufficientEncryptionPolicyException": "CloudTrail does not know the key's policy yet",
    "KmsKeyNotFoundException": "CloudTrail does not know the new key yet",
    "S3BucketDoesNotExistException": "CloudTrail does not know the new bucket yet",
    "CloudTrailAccessNotEnabledException": "CloudTrail does not know the trusted access yet",
    "ConflictException": "CloudTrail is still busy with the trail",
}
_YOUNG_PRINCIPAL = "the policy names a user or role that AWS does not know everywhere yet"
_CREATED = "IAM does not know everywhere yet what was just created"
_IAM = {"NoSuchEntity": _CREATED, "MalformedPolicyDocument": _YOUNG_PRINCIPAL,
        "EntityTemporarilyUnmodifiable": _CREATED}  # fmt: skip
_BUCKET_BUSY = {"OperationAborted": "S3 is still busy with a bucket of this name"}
_DELAYS: Mapping[str, Mapping[str, str]] = {  # call -> code -> what AWS does not know yet
    "cloudtrail:CreateTrail": _TRAIL,
    "cloudtrail:UpdateTrail": _TRAIL,
    "cloudtrail:PutEventSelectors": {"ConflictException": _TRAIL["ConflictException"]},
    "sqs:CreateQueue": {"QueueDeletedRecently": "SQS frees a deleted queue's name after a minute"},
    "s3:CreateBucket": _BUCKET_BUSY,
    "s3:PutBucketPolicy": {"MalformedPolicy": _YOUNG_PRINCIPAL, **_BUCKET_BUSY},
    "kms:PutKeyPolicy": {"MalformedPolicyDocumentException": _YOUNG_PRINCIPAL},
    "iam:CreateRole": _IAM,
    "iam:UpdateAssumeRolePolicy": _IAM,
    "iam:AddUserToGroup": _IAM,
    "iam:AddRoleToInstanceProfile": _IAM,
    "iam:PutGroupPolicy": _IAM,
    "iam:PutRolePolicy": _IAM,
    "iam:CreateAccessKey": _IAM,
}
_BY_MESSAGE = {  # call -> part of the message; the code means other things too
    "s3:PutBucketNotificationConfiguration": (
        "Unable to validate the following destination configurations",
        "S3 does not know the queue's policy yet",
    ),
}


def explain_delay(answer: AwsAnswer) -> str:
    """Return what AWS does not know yet; empty if a later call would fail alike."""
    for code, why in _DELAYS.get(str(answer.call), {}).items():
        if any(each.rpartition(".")[2] == code for each in answer.codes):
            return why
    part, why = _BY_MESSAGE.get(str(answer.call), ("", ""))
    message = str(answer.response.get("Error", {}).get("Message", ""))
    return why if part and part in message else ""
