"""The names of the source's buckets; `buckets` may have globs, which name none.

SQS shows no message without receiving it, so doctor learns the names elsewhere: from the trails,
the queue's policy, what the line read before, and S3's list of the account's buckets.
"""

from trailcourier import keys
from trailcourier.aws.calls import AwsCall
from trailcourier.doctor import ledger_buckets, trails
from trailcourier.doctor.subject import Subject


def find_names(subject: Subject) -> list[str]:
    """Return the buckets that `buckets` names in full, and those that it allows and that exist."""
    allowed = subject.source.buckets
    exact = [each for each in allowed if not set(each) & set("*?[")]
    written = [trail["S3BucketName"] for trail in trails.find_trails(subject).ours]
    senders = [arn.rpartition(":")[2] for arn in trails.queue_senders(subject).get("s3", set())]
    found = [*exact, *written, *ledger_buckets.find_buckets(subject).read, *sorted(senders)]
    found = [each for each in found if keys.is_allowed(each, allowed)]
    if not found and allowed:
        found = [each for each in _list_all(subject) if keys.is_allowed(each, allowed)]
    return list(dict.fromkeys(found))


def _list_all(subject: Subject) -> list[str]:
    """Return all buckets of the account; none if S3 does not say."""
    answer = subject.ask_once(AwsCall("s3", "ListBuckets", subject.source.queue.region, "*"))
    if not answer.good:
        return []
    return [each["Name"] for each in answer.response.get("Buckets", [])]
