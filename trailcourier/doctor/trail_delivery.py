"""How a trail delivers and notifies, by CloudTrail's own status in each region."""

from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trailcourier.aws.calls import AwsAnswer
from trailcourier.doctor import aws_findings, bucket, newest_log, trails
from trailcourier.doctor.finding import Finding
from trailcourier.doctor.subject import Subject
from trailcourier.doctor.trails import Trail
from trailcourier.text import age

LATE = timedelta(hours=1)  # without a delivery
UNANNOUNCED = timedelta(minutes=15)  # from the last notification to the last delivery

Status = Mapping[str, Any]
"""CloudTrail's answer to GetTrailStatus, in one region."""


def check_delivery(
    subject: Subject, trail: Trail, home: AwsAnswer | None
) -> Generator[Finding, None, Mapping[str, Status]]:
    """Check how *trail* delivers, and return its status in each region with log files.

    *home* is the answer of its home region, None if the trail does not log.
    """
    if home is None:
        return {}
    answers = {trail["HomeRegion"]: home} | _ask_other_regions(subject, trail)
    statuses = {region: each.response for region, each in answers.items() if each.good}
    missed = {region: each for region, each in answers.items() if not each.good}
    for region, each in missed.items():
        lost = f"how trail {trail['Name']} delivers in {region} is not known"
        yield aws_findings.not_seen_finding(subject, each, "TC504", lost)
    yield _judge_delivery(trail, statuses)
    return statuses


def _ask_other_regions(subject: Subject, trail: Trail) -> dict[str, AwsAnswer]:
    if not trail.get("IsMultiRegionTrail"):
        return {}
    regions = sorted(
        region
        for place in bucket.find_buckets(subject)
        for region in newest_log.find_newest_logs(subject, place.name, place.region).regions
        if region != trail["HomeRegion"]
    )
    answers = subject.ask_all([trails.status_call(trail, region) for region in regions])
    return dict(zip(regions, answers, strict=True))


def _judge_delivery(trail: Trail, statuses: Mapping[str, Status]) -> Finding:
    name = trail["Name"]
    if wrong := join_errors(statuses, "LatestDeliveryError"):
        text = f"trail {name} cannot deliver to {trail['S3BucketName']}: {wrong}"
        fix = (
            "Correct the bucket's policy for cloudtrail.amazonaws.com (s3:GetBucketAcl, and "
            "s3:PutObject with aws:SourceArn), and its key's policy if the bucket has a key."
        )
        return Finding("error", "TC504", text, fix)
    last = _latest(statuses, "LatestDeliveryTime")
    if last is None:
        return Finding("warning", "TC504", f"trail {name} has not delivered a log file yet", _WAIT)
    old = datetime.now(UTC) - last
    checked = f"{len(statuses)} region{'s' if len(statuses) > 1 else ''} checked"
    text = f"trail {name} delivered {age(old.total_seconds())} ago, in {checked}"
    return Finding("warning", "TC504", text, _WAIT) if old > LATE else Finding("ok", "TC504", text)


_WAIT = "Wait 15 min if the trail is new. If the account is in use, check the bucket's policy."


def check_notifications(subject: Subject, trail: Trail, statuses: Mapping[str, Status]) -> Finding:
    """Check when *trail* last notified its topic, and with which error."""
    name, to = trail["Name"], trail["SnsTopicARN"]
    if wrong := join_errors(statuses, "LatestNotificationError"):
        if errors := subject.errors("TC404", "TC407", "TC409"):
            return aws_findings.blocked_finding("TC506", errors[0].id)
        text = f"trail {name} cannot publish to {to}: {wrong}"
        fix = (
            "Correct the topic's policy (TC404), and its key's policy if it is encrypted with one."
        )
        return Finding("error", "TC506", text, fix)
    last = _latest(statuses, "LatestNotificationTime")
    delivered = _latest(statuses, "LatestDeliveryTime")
    if last is None or delivered is None:
        text = f"CloudTrail reports no time of a notification by trail {name} yet"
        return Finding("not-checked", "TC506", text, "Run doctor again after its next delivery.")
    text = f"trail {name} notified {age((datetime.now(UTC) - last).total_seconds())} ago"
    if delivered - last > UNANNOUNCED:
        behind = age((delivered - last).total_seconds())
        text = f"{text}, {behind} before its last delivery"
        return Finding("warning", "TC506", text, "Check the topic's findings, TC402 to TC407.")
    return Finding("ok", "TC506", text)


def join_errors(statuses: Mapping[str, Status], name: str) -> str:
    """Return the errors under *name*, each with its region; empty without any."""
    return ", ".join(
        f"{each[name]} in {region}" for region, each in statuses.items() if each.get(name)
    )


def _latest(statuses: Mapping[str, Status], name: str) -> datetime | None:
    return max((each[name] for each in statuses.values() if each.get(name)), default=None)
