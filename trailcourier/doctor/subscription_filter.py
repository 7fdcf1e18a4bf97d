"""Whether the queue's subscription to a topic passes the notifications of log files."""

from collections.abc import Mapping

from trailcourier.aws.calls import AwsAnswer
from trailcourier.doctor import bucket, filter_policies, newest_log
from trailcourier.doctor.finding import Finding
from trailcourier.doctor.subject import Subject


def judge_filter(subject: Subject, answer: AwsAnswer, *, by_s3: bool) -> Finding:
    """Return the finding for the subscription's attributes, which *answer* has.

    *by_s3* is whether S3 publishes to the topic, and not CloudTrail.
    """
    attributes: Mapping[str, str] = answer.response["Attributes"]
    policy = attributes.get("FilterPolicy", "")
    if not policy or policy == "{}":
        return Finding("ok", "TC406", "the subscription has no filter policy")
    fix = f"Remove the filter policy from {answer.call.parameters['SubscriptionArn']}."
    by_body = attributes.get("FilterPolicyScope") == "MessageBody"
    values = _body_values(subject, by_s3=by_s3) if by_body else [{}]  # none has attributes
    verdicts = {filter_policies.passes(policy, each) for each in values}
    if verdicts == {"yes"}:
        return Finding("ok", "TC406", f"the filter policy passes every notification: {policy}")
    if verdicts == {"no"}:
        text = f"the subscription's filter policy drops every notification of log files: {policy}"
        return Finding("error", "TC406", text, fix)
    text = f"the subscription has a filter policy, which drops what it does not match: {policy}"
    return Finding("warning", "TC406", text, fix)


def _body_values(subject: Subject, *, by_s3: bool) -> list[filter_policies.Values]:
    """Return what the bodies of notifications hold, as far as it is known."""
    if by_s3:
        return [{"Records": None}]
    places = bucket.find_buckets(subject)
    known = [
        {"s3Bucket": [each.name], "s3ObjectKey": _newest_key(subject, each)} for each in places
    ]
    return list(known) or [{"s3Bucket": None, "s3ObjectKey": None}]


def _newest_key(subject: Subject, place: bucket.BucketLocation) -> list[str] | None:
    found = newest_log.find_newest_logs(subject, place.name, place.region).newest
    return [found[0].key] if found else None
