"""The trails that are visible, and which of them feed the source."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from trailcourier import keys
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import policies, queue, statements
from trailcourier.doctor.subject import Subject

MOST = 3  # trails checked

Trail = Mapping[str, Any]


class TrailSearch(msgspec.Struct, frozen=True):
    """All visible *trails*, those that feed the source (*ours*), and a call that failed."""

    trails: Sequence[Trail] = ()
    ours: Sequence[Trail] = ()
    failure: AwsAnswer | None = None


def find_trails(subject: Subject) -> TrailSearch:
    """Return the trails visible in the regions of the queue, its topics and the bucket."""
    return subject.cache.get("trails", lambda: _search_trails(subject))


def _search_trails(subject: Subject) -> TrailSearch:
    source = subject.source
    announced = {statements.arn_region(arn) for arn in queue_senders(subject).get("sns", ())}
    where = {source.queue.region, source.bucket_region or source.queue.region, *announced}
    every = {"includeShadowTrails": True}
    answers = subject.ask_all(
        [AwsCall("cloudtrail", "DescribeTrails", each, "*", every) for each in sorted(where)]
    )
    found = {
        trail["TrailARN"]: trail
        for answer in answers
        if answer.good
        for trail in answer.response.get("trailList", [])
    }
    missed = next((each for each in answers if not each.good), None)
    ours = _ours(subject, list(found.values()))
    if len(ours) > MOST:  # those that log come first
        states = subject.ask_all([status_call(each, each["HomeRegion"]) for each in ours])
        logs = {
            id(each): bool(x.response.get("IsLogging"))
            for each, x in zip(ours, states, strict=True)
        }
        ours.sort(key=lambda each: not logs[id(each)])
    return TrailSearch(list(found.values()), ours, missed)


def _ours(subject: Subject, trails: Sequence[Trail]) -> list[Trail]:
    """Return the trails whose topic may send to the queue, or whose bucket the source allows.

    If neither topics nor buckets are known, return all.
    """
    topics, buckets = queue_senders(subject).get("sns", set()), subject.source.buckets
    found = [
        trail
        for trail in trails
        if trail.get("SnsTopicARN") in topics
        or (buckets and keys.is_allowed(trail["S3BucketName"], buckets))
    ]
    return found if found or buckets or topics else list(trails)


def ask_status(subject: Subject, trail: Trail) -> AwsAnswer:
    """Return the status of *trail* in its home region."""
    return subject.ask_once(status_call(trail, trail["HomeRegion"]))


def status_call(trail: Trail, region: str) -> AwsCall:
    """Return the call for the status of *trail* in *region*."""
    arn = trail["TrailARN"]
    return AwsCall("cloudtrail", "GetTrailStatus", region, arn, {"Name": arn})


def find_active(subject: Subject) -> list[Trail]:
    """Return the trails of the source that log; all of them if none is known to."""
    ours = list(find_trails(subject).ours[:MOST])
    active = [each for each in ours if ask_status(subject, each).response.get("IsLogging")]
    return active or ours


def logging_ages(subject: Subject) -> list[float]:
    """Return how many seconds ago each trail of the source that logs began to, if known."""
    states = [ask_status(subject, trail).response for trail in find_trails(subject).ours[:MOST]]
    now = datetime.now(UTC)
    return [
        (now - said["StartLoggingTime"]).total_seconds()
        for said in states
        if said.get("IsLogging") and said.get("StartLoggingTime")
    ]


def queue_senders(subject: Subject) -> dict[str, set[str]]:
    """Return what the queue's policy lets send: for each service, the ARNs of topics and such."""
    answer = queue.ask_attributes(subject)
    said = answer.response.get("Attributes", {}) if answer.good else {}
    return policies.senders(said.get("Policy", ""), "sqs:SendMessage")
