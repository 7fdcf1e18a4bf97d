"""From the topic to the queue: the subscription, and every policy and key on the way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import (
    aws_findings,
    bucket,
    policies,
    prerequisites,
    queue,
    senders,
    statements,
    subscription_filter,
    trails,
)
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding, Level
from trailcourier.doctor.policies import PolicyQuestion
from trailcourier.doctor.subject import Subject

MOST = 3  # topics checked
PAGES = 20  # pages of subscriptions read, a hundred each
TRAIL, S3, SNS = "cloudtrail.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com"
SEND = "sqs:SendMessage"

ENTRIES: Entries = {
    "TC401": CatalogueEntry(
        "What notifies this queue of log files?",
        ("ok", "not-checked"),
        "SNS topics, S3 itself or EventBridge. Doctor finds them in the queue's policy, the trails "
        "and the bucket's notification configuration, as far as it may read these.",
    ),
    "TC402": CatalogueEntry(
        "Is the queue subscribed to the topic?",
        ("ok", "not-checked", "warning", "error"),
        "Without a subscription the topic sends nothing. Subscribing in the SQS console also "
        "writes the queue's policy; any other way, write that policy by hand (TC405).",
    ),
    "TC403": CatalogueEntry(
        "Is the subscription confirmed?",
        ("error",),
        "A subscription made from another account has to be confirmed. The message with the token "
        "is in the queue; `trailcourier quarantine show` prints the command that confirms it.",
    ),
    "TC404": CatalogueEntry(
        "May CloudTrail publish to the topic?",
        ("ok", "not-checked", "error"),
        "The topic's policy has to allow `cloudtrail.amazonaws.com` `sns:Publish` for the trail. "
        "CloudTrail does not repeat a notification that failed: after the repair it announces "
        "only new files.",
    ),
    "TC405": CatalogueEntry(
        "May the topic send to the queue?",
        ("ok", "not-checked", "error"),
        "The queue's policy has to allow `sns.amazonaws.com` `sqs:SendMessage` for the topic.",
    ),
    "TC406": CatalogueEntry(
        "Does the subscription pass every notification?",
        ("ok", "not-checked", "warning", "error"),
        "A filter policy silently drops what it does not match. CloudTrail's notifications have no "
        "message attributes to filter by, and only `s3Bucket` and `s3ObjectKey` in their body. It "
        "is an error if the policy drops every notification.",
    ),
    "TC409": CatalogueEntry(
        "Does the topic exist?",
        ("warning", "error"),
        "The trail, the bucket or the queue's policy names a topic that SNS does not know: it was "
        "deleted, and with it every subscription. Create it again, with the policy that lets "
        "CloudTrail publish, and subscribe the queue; a trail takes up a topic of the same name by "
        "itself.",
    ),
    "TC407": CatalogueEntry(
        "May the senders use the keys of topic and queue?",
        ("ok", "not-checked", "error"),
        "An encrypted topic needs a customer key whose policy allows CloudTrail to use it "
        "(`kms:GenerateDataKey*` and `kms:Decrypt`); an encrypted queue needs one that allows SNS "
        "the same. The policy of the AWS-managed key `alias/aws/sns` cannot be changed.",
    ),
}


@prerequisites.skip_after_errors(*prerequisites.QUEUE_ERRORS, reports="TC401")
def check_topics(subject: Subject) -> Iterator[Finding]:
    """Check how notifications get from the bucket or trail to the queue, by topics."""
    if cause := queue.ask_attributes(subject).blocked_by:
        yield aws_findings.blocked_finding("TC401", cause)
        return
    topics, others = _topics(subject), _others(subject)
    if not topics and not others:
        yield _nobody_sends(subject) or _senders_not_seen(subject)
        return
    yield Finding(
        "ok", "TC401", f"{', '.join([*topics, *others])} may notify this queue of log files"
    )
    gone = [topic for topic in topics if _is_gone(subject, topic)]
    topics = [topic for topic in topics if topic not in gone]
    for topic in gone:
        yield _topic_gone(topic, "warning" if topics or others else "error")
    subscriptions = {topic: _find_subscription(subject, topic) for topic in topics}
    some = any(isinstance(each, Mapping) for each in subscriptions.values()) or bool(others)
    for topic, found in subscriptions.items():
        yield _check_subscription(subject, topic, found, "warning" if some else "error")
        yield from _check_publishers(subject, topic)
        yield from _check_queue_policy(subject, topic)
        if isinstance(found, Mapping) and _confirmed(found):
            yield _check_filter(subject, topic, found["SubscriptionArn"])


def _is_gone(subject: Subject, topic: str) -> bool:
    answer = subject.ask_once(_sns("GetTopicAttributes", topic))
    return bool(answer.codes & {"NotFound", "NotFoundException"})


def _topic_gone(topic: str, level: Level) -> Finding:
    name, region = topic.rpartition(":")[2], statements.arn_region(topic)
    fix = (
        f"Create it again (aws sns create-topic --name {name} --region {region}) with its policy, "
        "and subscribe the queue; `trailcourier setup apply` does all three."
    )
    return Finding(level, "TC409", f"the topic {topic} does not exist", fix)


def _nobody_sends(subject: Subject) -> Finding | None:
    """Return the finding for a queue whose policy lets nobody send; None for any other queue."""
    answer = queue.ask_attributes(subject)
    if not answer.good or policies.allows_anyone(Attributes(answer).text("Policy"), SEND):
        return None
    arn = _queue_arn(subject)
    topic = "arn:aws:sns:REGION:ACCOUNT:TOPIC"
    statement = senders.allow_sender(PolicyQuestion(SNS, SEND, arn, topic))
    text = f"the policy of {arn} lets nobody send, so no topic, bucket or rule notifies this queue"
    fix = f"Add a statement for what notifies it; for the trail's topic: {statement}"
    return Finding("error", "TC405", text, fix)


def _senders_not_seen(subject: Subject) -> Finding:
    text = "what notifies this queue of log files is not known"
    if denied := bucket.denied_notifications(subject):
        return aws_findings.not_seen_finding(subject, denied, "TC401", text)
    fix = "Allow reading the queue's attributes (TC306) or the trails (TC501)."
    return Finding("not-checked", "TC401", text, fix)


def _topics(subject: Subject) -> list[str]:
    """Return the topics that the queue's policy, the trails or the buckets name."""
    named = [trail.get("SnsTopicARN") for trail in trails.find_trails(subject).ours]
    named += sorted(trails.queue_senders(subject).get("sns", ()))
    named += [
        each["TopicArn"]
        for place in bucket.find_buckets(subject)
        for each in bucket.read_notifications(subject, place).get("TopicConfigurations", [])
    ]
    return list(dict.fromkeys(each for each in named if each))[:MOST]


def _others(subject: Subject) -> list[str]:
    """Return the buckets and EventBridge rules that may send to the queue."""
    named = trails.queue_senders(subject)
    return sorted(named.get("s3", set()) | named.get("events", set()))


def notified_without_trail_topic(subject: Subject) -> bool:
    """Return whether S3 or EventBridge notifies, instead of the trail's own topic."""
    return bool(_others(subject)) or any(
        bucket.read_notifications(subject, place).get(each)
        for place in bucket.find_buckets(subject)
        for each in ("TopicConfigurations", "QueueConfigurations")
    )


def _queue_arn(subject: Subject) -> str:
    return queue.read_attributes(subject).arn(subject)


def _find_subscription(subject: Subject, topic: str) -> Mapping[str, Any] | AwsAnswer | None:
    """Return the queue's subscription to *topic*, None without one, or the answer that failed."""
    ours = _queue_arn(subject)
    token: dict[str, Any] = {}
    for _ in range(PAGES):
        answer = subject.ask_once(_sns("ListSubscriptionsByTopic", topic, **token))
        if not answer.good:
            return answer
        for each in answer.response["Subscriptions"]:
            if each["Protocol"] == "sqs" and each["Endpoint"] == ours:
                found: Mapping[str, Any] = each
                return found
        token = {"NextToken": answer.response.get("NextToken")}
        if not token["NextToken"]:
            return None
    return None


def _sns(operation: str, topic: str, **given: Any) -> AwsCall:
    parameters = given if "SubscriptionArn" in given else {"TopicArn": topic, **given}
    return AwsCall("sns", operation, statements.arn_region(topic), topic, parameters)


def _confirmed(subscription: Mapping[str, Any]) -> bool:
    """Return whether it has an ARN; an unconfirmed one has ``PendingConfirmation`` instead."""
    return str(subscription["SubscriptionArn"]).startswith("arn:")


def _check_subscription(
    subject: Subject, topic: str, found: Mapping[str, Any] | AwsAnswer | None, level: Level
) -> Finding:
    if isinstance(found, AwsAnswer):
        lost = "whether the queue is subscribed to it is not known"
        return aws_findings.not_seen_finding(subject, found, "TC402", lost)
    if found is None:
        text = f"the queue is not subscribed to {topic}"
        endpoint = f"--protocol sqs --notification-endpoint {_queue_arn(subject)}"
        return Finding(
            level, "TC402", text, f"Subscribe it: aws sns subscribe --topic-arn {topic} {endpoint}"
        )
    if not _confirmed(found):
        text = f"the queue's subscription to {topic} is not confirmed ({found['SubscriptionArn']})"
        fix = "Confirm it: `trailcourier quarantine show` prints the command, with the token."
        return Finding("error", "TC403", text, fix)
    text = f"the queue is subscribed to {topic}, and the subscription is confirmed"
    return Finding("ok", "TC402", text)


def _check_filter(subject: Subject, topic: str, subscription: str) -> Finding:
    call = _sns("GetSubscriptionAttributes", topic, SubscriptionArn=subscription)
    answer = subject.ask_once(call)
    if not answer.good:
        lost = "whether the subscription has a filter policy is not known"
        return aws_findings.not_seen_finding(subject, answer, "TC406", lost)
    by_s3 = any(service == S3 for service, _ in _publishers(subject, topic))
    return subscription_filter.judge_filter(subject, answer, by_s3=by_s3)


def _check_publishers(subject: Subject, topic: str) -> Iterator[Finding]:
    """Check whether the trail and the bucket that use *topic* may publish to it."""
    answer = subject.ask_once(_sns("GetTopicAttributes", topic))
    if not answer.good:
        lost = "whether CloudTrail may publish to it is not known"
        yield aws_findings.not_seen_finding(subject, answer, "TC404", lost)
        return
    attributes: Mapping[str, str] = answer.response["Attributes"]
    publishers = _publishers(subject, topic)
    for service, source in publishers:
        request = PolicyQuestion(
            service, "sns:Publish", topic, source, statements.arn_account(source)
        )
        yield senders.judge_policy("TC404", attributes.get("Policy", ""), request)
    if key := attributes.get("KmsMasterKeyId"):
        for service in dict(publishers):
            yield senders.check_key(subject, key, topic, service)


def _publishers(subject: Subject, topic: str) -> Sequence[tuple[str, str]]:
    by_trail = [
        (TRAIL, trail["TrailARN"])
        for trail in trails.find_active(subject)
        if trail.get("SnsTopicARN") == topic
    ]
    by_bucket = [
        (S3, subject.bucket_arn(place.name))
        for place in bucket.find_buckets(subject)
        for each in bucket.read_notifications(subject, place).get("TopicConfigurations", [])
        if each["TopicArn"] == topic
    ]
    return by_trail + by_bucket


def _check_queue_policy(subject: Subject, topic: str) -> Iterator[Finding]:
    """Check whether *topic* may send to the queue."""
    answer = queue.ask_attributes(subject)
    if not answer.good:
        text = f"whether the queue's policy allows {topic} to send is not known"
        yield Finding("not-checked", "TC405", text, "Allow the call that TC306 names.")
        return
    attributes, arn = Attributes(answer), _queue_arn(subject)
    request = PolicyQuestion(SNS, SEND, arn, topic, statements.arn_account(topic))
    yield senders.judge_policy("TC405", attributes.text("Policy"), request)
    key = attributes.text("KmsMasterKeyId")
    if key and not key.endswith("alias/aws/sqs"):  # TC310 reports that one
        yield senders.check_key(subject, key, arn, SNS)
