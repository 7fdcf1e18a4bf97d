"""The trails there are, and which of them feed this source."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from trailcourier import keys
from trailcourier.doctor import policies, queue, statements
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.subject import Subject

MOST = 3  # looked at

Trail = Mapping[str, Any]


class Seen(msgspec.Struct, frozen=True):
    """All *trails* that are seen, those that are *ours*, and an answer that was none."""

    trails: Sequence[Trail] = ()
    ours: Sequence[Trail] = ()
    trouble: Answer | None = None


def seen(subject: Subject) -> Seen:
    """Return the trails that are seen from where the queue, its topics and the bucket are."""
    return subject.known.get("trails", lambda: _seen(subject))


def _seen(subject: Subject) -> Seen:
    source = subject.source
    announced = {statements.region(arn) for arn in senders(subject).get("sns", ())}
    where = {source.queue.region, source.bucket_region or source.queue.region, *announced}
    answers = subject.together([_describe(each) for each in sorted(where)])
    found = {
        trail["TrailARN"]: trail
        for answer in answers
        if answer.good
        for trail in answer.said.get("trailList", [])
    }
    missed = next((each for each in answers if not each.good), None)
    return Seen(list(found.values()), _ours(subject, list(found.values())), missed)


def _describe(region: str) -> Call:
    given = {"includeShadowTrails": True}
    return Call("cloudtrail", "describe_trails", region, "cloudtrail:DescribeTrails", "*", given)


def _ours(subject: Subject, trails: Sequence[Trail]) -> list[Trail]:
    """Return those whose topic may send to the queue, or whose bucket is one of the source's."""
    topics, buckets = senders(subject).get("sns", set()), subject.source.buckets
    found = [
        trail
        for trail in trails
        if trail.get("SnsTopicARN") in topics
        or (buckets and keys.allowed(trail["S3BucketName"], buckets))
    ]
    return found if found or buckets or topics else list(trails)


def status(subject: Subject, trail: Trail) -> Answer:
    """Return how *trail* does where it is at home."""
    return subject.ask_once(asking(trail, trail["HomeRegion"]))


def asking(trail: Trail, region: str) -> Call:
    """Return the call that asks how *trail* does in *region*."""
    arn = trail["TrailARN"]
    action = "cloudtrail:GetTrailStatus"
    return Call("cloudtrail", "get_trail_status", region, action, arn, {"Name": arn})


def began(subject: Subject) -> list[float]:
    """Return how many seconds ago each trail that logs began to, as far as that is seen."""
    states = [status(subject, trail).said for trail in seen(subject).ours[:MOST]]
    now = datetime.now(UTC)
    return [
        (now - said["StartLoggingTime"]).total_seconds()
        for said in states
        if said.get("IsLogging") and said.get("StartLoggingTime")
    ]


def senders(subject: Subject) -> dict[str, set[str]]:
    """Return what may send to the queue by its policy: by service, the ARNs of topics and such."""
    answer = queue.attributes(subject)
    said = answer.said.get("Attributes", {}) if answer.good else {}
    return policies.senders(said.get("Policy", ""), "sqs:SendMessage")
