"""From the topic to the queue: subscribed, confirmed, and allowed by every policy on the way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trailcourier.doctor import bucket, order, policies, queue, statements, trails, trouble
from trailcourier.doctor.attributes import Attributes
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.finding import Entries, Entry, Finding, Level
from trailcourier.doctor.policies import Request
from trailcourier.doctor.subject import Subject

MOST = 3  # topics looked at
PAGES = 20  # of subscriptions, a hundred each
TRAIL, S3, SNS = "cloudtrail.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com"

TOLD: Entries = {
    "TC401": Entry(
        "What announces log files to this queue?",
        ("ok", "unproved"),
        "SNS topics, S3 itself or EventBridge: known from the queue's policy, from the trails and "
        "from the bucket's notifications, whichever may be seen.",
    ),
    "TC402": Entry(
        "Is the queue subscribed to the topic?",
        ("ok", "unproved", "warning", "error"),
        "Without a subscription the topic sends nothing. Subscribing in the SQS console also "
        "writes the queue's policy; elsewhere that has to be written by hand (TC405).",
    ),
    "TC403": Entry(
        "Is the subscription confirmed?",
        ("error",),
        "A subscription made from another account waits for a confirmation, and the token for it "
        "lies in the queue: `trailcourier quarantine show` prints the command.",
    ),
    "TC404": Entry(
        "May CloudTrail publish to the topic?",
        ("ok", "unproved", "error"),
        "The topic's policy has to allow `cloudtrail.amazonaws.com` `sns:Publish` for the trail. "
        "What CloudTrail could not publish it does not publish later: after the repair only new "
        "files are announced.",
    ),
    "TC405": Entry(
        "May the topic send to the queue?",
        ("ok", "unproved", "error"),
        "The queue's policy has to allow `sns.amazonaws.com` `sqs:SendMessage` for the topic.",
    ),
    "TC406": Entry(
        "Does the subscription let everything through?",
        ("ok", "unproved", "warning"),
        "A filter policy drops what it does not match, unseen. CloudTrail's notices have no "
        "attributes to filter by.",
    ),
    "TC407": Entry(
        "May those who send use the keys on the way?",
        ("ok", "unproved", "error"),
        "An encrypted topic needs a customer key whose policy lets CloudTrail use it, an encrypted "
        "queue one that lets SNS (`kms:GenerateDataKey*` and `kms:Decrypt`). The AWS-managed key "
        "`alias/aws/sns` cannot be given such a policy.",
    ),
}


@order.after(*order.KEYS, "TC301", "TC302", says="TC401")
def look(subject: Subject) -> Iterator[Finding]:
    """Look how announcements come into the queue."""
    if first := queue.attributes(subject).behind:
        yield trouble.behind("TC401", first)
        return
    topics, others = _topics(subject), _others(subject)
    if not topics and not others:
        yield _unseen(subject)
        return
    yield Finding("ok", "TC401", f"log files are announced by {', '.join([*topics, *others])}")
    subscriptions = {topic: _subscription(subject, topic) for topic in topics}
    some = any(isinstance(each, Mapping) for each in subscriptions.values()) or bool(others)
    for topic, found in subscriptions.items():
        yield _subscribed(subject, topic, found, "warning" if some else "error")
        yield from _topic(subject, topic)
        yield from _into_queue(subject, topic)
        if isinstance(found, Mapping) and _confirmed(found):
            yield _filter(subject, topic, found["SubscriptionArn"])


def _unseen(subject: Subject) -> Finding:
    text = "what announces log files to this queue is not seen"
    if denied := bucket.unannounced(subject):
        return trouble.unseen(subject, denied, "TC401", text)
    fix = "Let the queue's attributes (TC306) or the trails (TC501) be seen."
    return Finding("unproved", "TC401", text, fix)


def _topics(subject: Subject) -> list[str]:
    """Return the topics that the policy, the trails or the buckets name."""
    named = [trail.get("SnsTopicARN") for trail in trails.seen(subject).ours]
    named += sorted(trails.senders(subject).get("sns", ()))
    named += [
        each["TopicArn"]
        for place in bucket.places(subject)
        for each in bucket.notifications(subject, place).get("TopicConfigurations", [])
    ]
    return list(dict.fromkeys(each for each in named if each))[:MOST]


def _others(subject: Subject) -> list[str]:
    """Return what else may send to the queue: buckets and EventBridge rules."""
    senders = trails.senders(subject)
    return sorted(senders.get("s3", set()) | senders.get("events", set()))


def announced_otherwise(subject: Subject) -> bool:
    """Say whether something beside the trail's topic announces: S3 or EventBridge."""
    return bool(_others(subject)) or any(
        bucket.notifications(subject, place).get(each)
        for place in bucket.places(subject)
        for each in ("TopicConfigurations", "QueueConfigurations")
    )


def _queue_arn(subject: Subject) -> str:
    return queue.said(subject).arn(subject)


def _subscription(subject: Subject, topic: str) -> Mapping[str, Any] | Answer | None:
    """Return the queue's subscription to *topic*, None if there is none, or why it is not seen."""
    ours = _queue_arn(subject)
    token: dict[str, Any] = {}
    for _ in range(PAGES):
        answer = subject.ask_once(
            _sns("list_subscriptions_by_topic", "ListSubscriptionsByTopic", topic, **token)
        )
        if not answer.good:
            return answer
        for each in answer.said["Subscriptions"]:
            if each["Protocol"] == "sqs" and each["Endpoint"] == ours:
                found: Mapping[str, Any] = each
                return found
        token = {"NextToken": answer.said.get("NextToken")}
        if not token["NextToken"]:
            return None
    return None


def _sns(operation: str, action: str, topic: str, **given: Any) -> Call:
    said = {"TopicArn": topic, **given} if "SubscriptionArn" not in given else given
    return Call("sns", operation, statements.region(topic), f"sns:{action}", topic, said)


def _confirmed(subscription: Mapping[str, Any]) -> bool:
    """Say whether it has an ARN; one that waits says ``PendingConfirmation`` in its place."""
    return str(subscription["SubscriptionArn"]).startswith("arn:")


def _subscribed(
    subject: Subject, topic: str, found: Mapping[str, Any] | Answer | None, level: Level
) -> Finding:
    if isinstance(found, Answer):
        lost = "whether the queue is subscribed to it is not seen"
        return trouble.unseen(subject, found, "TC402", lost)
    if found is None:
        text = f"the queue is not subscribed to {topic}"
        endpoint = f"--protocol sqs --notification-endpoint {_queue_arn(subject)}"
        return Finding(level, "TC402", text, f"aws sns subscribe --topic-arn {topic} {endpoint}")
    if not _confirmed(found):
        text = f"the queue's subscription to {topic} is not confirmed ({found['SubscriptionArn']})"
        fix = "The token lies in the queue: `trailcourier quarantine show` prints the command."
        return Finding("error", "TC403", text, fix)
    text = f"the queue is subscribed to {topic}, and that is confirmed"
    return Finding("ok", "TC402", text)


def _filter(subject: Subject, topic: str, subscription: str) -> Finding:
    asked = _sns(
        "get_subscription_attributes",
        "GetSubscriptionAttributes",
        topic,
        SubscriptionArn=subscription,
    )
    answer = subject.ask_once(asked)
    if not answer.good:
        lost = "whether the subscription filters is not seen"
        return trouble.unseen(subject, answer, "TC406", lost)
    policy = answer.said["Attributes"].get("FilterPolicy")
    if policy and policy != "{}":
        text = f"the subscription has a filter policy, which drops what it does not match: {policy}"
        return Finding("warning", "TC406", text, f"Take it away from {subscription}.")
    return Finding("ok", "TC406", "the subscription has no filter policy")


def _topic(subject: Subject, topic: str) -> Iterator[Finding]:
    """Look whether who publishes to *topic* may do so."""
    answer = subject.ask_once(_sns("get_topic_attributes", "GetTopicAttributes", topic))
    if not answer.good:
        lost = "whether CloudTrail may publish to it is not seen"
        yield trouble.unseen(subject, answer, "TC404", lost)
        return
    said: Mapping[str, str] = answer.said["Attributes"]
    publishers = _publishers(subject, topic)
    for service, source in publishers:
        request = Request(service, "sns:Publish", topic, source, statements.account(source))
        yield _verdict("TC404", said.get("Policy", ""), request)
    if key := said.get("KmsMasterKeyId"):
        for service in dict(publishers):
            yield _key(subject, key, topic, service)


def _publishers(subject: Subject, topic: str) -> Sequence[tuple[str, str]]:
    by_trail = [
        (TRAIL, trail["TrailARN"])
        for trail in trails.seen(subject).ours
        if trail.get("SnsTopicARN") == topic
    ]
    by_bucket = [
        (S3, bucket.arn(subject, place.name))
        for place in bucket.places(subject)
        for each in bucket.notifications(subject, place).get("TopicConfigurations", [])
        if each["TopicArn"] == topic
    ]
    return by_trail + by_bucket


def _into_queue(subject: Subject, topic: str) -> Iterator[Finding]:
    """Look whether *topic* may send to the queue."""
    seen = queue.attributes(subject)
    if not seen.good:
        text = f"whether the queue's policy lets {topic} send is not seen"
        yield Finding("unproved", "TC405", text, "TC306 says what would show it.")
        return
    said, arn = Attributes(seen), _queue_arn(subject)
    request = Request(SNS, "sqs:SendMessage", arn, topic, statements.account(topic))
    yield _verdict("TC405", said.text("Policy"), request)
    key = said.text("KmsMasterKeyId")
    if key and not key.endswith("alias/aws/sqs"):  # that one is told by TC310
        yield _key(subject, key, arn, SNS)


def _verdict(id_: str, policy: str, request: Request) -> Finding:
    what = f"{request.service} {request.action} on {request.resource} for {request.source}"
    match policies.allows(policy, request):
        case "yes":
            return Finding("ok", id_, f"the policy allows {what}")
        case "unknown":
            text = f"whether the policy allows {what} depends on conditions that are not known here"
            return Finding("unproved", id_, text, f"This would: {_needed(request)}")
        case "no":
            fix = f"Add to the policy of {request.resource}: {_needed(request)}"
            return Finding("error", id_, f"the policy does not allow {what}", fix)


def _needed(request: Request) -> str:
    principal = {"Service": request.service}
    if request.action.startswith("kms:"):  # a key's policy speaks of this key alone
        return statements.statement(
            ["kms:GenerateDataKey*", "kms:Decrypt"], "*", Principal=principal
        )
    return statements.statement(
        [request.action],
        request.resource,
        Principal=principal,
        Condition={"ArnEquals": {"aws:SourceArn": request.source}},
    )


def _key(subject: Subject, key: str, encrypted: str, service: str) -> Finding:
    """Look whether *service* may use *key*, with which *encrypted* is encrypted."""
    region = statements.region(encrypted)
    if key.endswith("alias/aws/sns"):
        text = f"{encrypted} is encrypted with alias/aws/sns, which {service} may not use"
        return Finding("error", "TC407", text, "Encrypt it with a customer key, or not at all.")
    described = subject.ask_once(
        Call("kms", "describe_key", region, "kms:DescribeKey", key, {"KeyId": key})
    )
    arn = described.said["KeyMetadata"]["Arn"] if described.good else key
    given = {"KeyId": arn, "PolicyName": "default"}
    answer = subject.ask_once(Call("kms", "get_key_policy", region, "kms:GetKeyPolicy", arn, given))
    if answer.good:
        request = Request(service, "kms:GenerateDataKey", arn, encrypted)
        return _verdict("TC407", answer.said["Policy"], request)
    lost = f"whether {service} may use this key of {encrypted} is not seen"
    return trouble.unseen(subject, answer, "TC407", lost)
