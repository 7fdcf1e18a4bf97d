"""The trail: whether it exists, logs in all regions, delivers, notifies and writes digests."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from trailcourier import keys
from trailcourier.aws.calls import AwsAnswer
from trailcourier.doctor import (
    aws_findings,
    broker,
    bucket,
    newest_log,
    prerequisites,
    topic,
    trail_delivery,
    trails,
)
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.doctor.trail_delivery import Status
from trailcourier.doctor.trails import Trail

RECENT = timedelta(days=1)  # a log file that young shows that some trail delivers

ENTRIES: Entries = {
    "TC501": CatalogueEntry(
        "Is there a trail that feeds this source?",
        ("ok", "not-checked", "error"),
        "CloudTrail's event history is always on and keeps 90 days, but AWS delivers it nowhere: "
        "only a trail writes log files. Doctor cannot see a trail of another account; log files "
        "in the bucket show that one exists.",
    ),
    "TC502": CatalogueEntry(
        "Does the trail log?",
        ("ok", "warning", "error"),
        "A trail created by the API or a template does not log before `StartLogging`. Somebody may "
        "also have stopped it: find out who and why.",
    ),
    "TC503": CatalogueEntry(
        "Does the trail log in all regions?",
        ("ok", "warning"),
        "A trail of one region shows nothing of what an attacker does in a region you do not use.",
    ),
    "TC504": CatalogueEntry(
        "Does the trail deliver log files?",
        ("ok", "not-checked", "warning", "error"),
        "CloudTrail's own record of its last delivery and last error, in each region that has log "
        "files. It retries failed deliveries for 30 days, so repair the policy or key in time.",
    ),
    "TC505": CatalogueEntry(
        "Is anything notified of the trail's log files?",
        ("ok", "not-checked", "error"),
        "Without an SNS topic on the trail, and without S3 notifications in its place, no message "
        "arrives.",
    ),
    "TC506": CatalogueEntry(
        "Do the trail's notifications succeed?",
        ("ok", "not-checked", "warning", "error"),
        "CloudTrail's own record of its last notification and last error. It does not retry a "
        "notification that failed.",
    ),
    "TC507": CatalogueEntry(
        "Does the trail write digests?",
        ("ok", "warning"),
        "Only log file validation can prove later that no log file was altered or deleted.",
    ),
    "TC508": CatalogueEntry(
        "Does the trail write to a bucket of this source?",
        ("error",),
        "`buckets` does not allow the trail's bucket, so Trailcourier refuses its objects "
        "(`bucket-not-allowed`).",
    ),
    "TC509": CatalogueEntry(
        "Did the trail log before records were missing?",
        ("ok", "warning"),
        "No log file covers the time before the trail began to log. `--since` says when records "
        "began to be missing; without it, doctor takes the last delivery. Event history keeps 90 "
        "days of management events: `aws cloudtrail lookup-events`.",
    ),
}


@prerequisites.skip_after_errors(*prerequisites.CREDENTIAL_ERRORS, reports="TC501")
def check_trails(subject: Subject) -> Iterator[Finding]:
    """Check whether the trails that feed the source log, deliver and notify."""
    found = trails.find_trails(subject)
    if not found.ours:
        yield _no_trail(subject, found)
        return
    ours = found.ours[: trails.MOST]
    names = ", ".join(trail["TrailARN"] for trail in ours)
    yield Finding("ok", "TC501", f"the source is fed by {names}")
    states = {trail["TrailARN"]: trails.ask_status(subject, trail) for trail in ours}
    logging = [trail for trail in ours if states[trail["TrailARN"]].response.get("IsLogging")]
    for trail in ours:
        home = states[trail["TrailARN"]]
        yield from _check_logging(subject, trail, home, logging_trails=len(logging))
        if trail in logging or not logging:  # another trail does the work of one that is stopped
            yield from _check_trail(subject, trail, home if trail in logging else None, ours)


def _check_trail(
    subject: Subject, trail: Trail, home: AwsAnswer | None, ours: Sequence[Trail]
) -> Iterator[Finding]:
    """Check one of *ours*; *home* is its status in its home region, None if it does not log."""
    yield _check_regions(trail)
    statuses = yield from trail_delivery.check_delivery(subject, trail, home)
    yield _check_announcement(subject, trail, ours)
    if statuses and trail.get("SnsTopicARN"):
        yield trail_delivery.check_notifications(subject, trail, statuses)
    yield _check_digests(trail, statuses)
    yield from _check_bucket(subject, trail)


def _no_trail(subject: Subject, found: trails.TrailSearch) -> Finding:
    missed = found.failure
    if missed is not None:
        lost = "whether a trail logs, delivers and notifies is not known"
        return aws_findings.not_seen_finding(subject, missed, "TC501", lost)
    if _delivered_lately(subject):
        text = "no trail of this account feeds the source, but another account's writes log files"
        return Finding(
            "not-checked", "TC501", text, "Check that trail in the account that owns it."
        )
    text = "there is no trail: AWS keeps 90 days of event history, but delivers it nowhere"
    if found.trails:
        others = ", ".join(f"{each['Name']} (to {each['S3BucketName']})" for each in found.trails)
        text = f"the account's trails write to other buckets: {others}"
    fix = "Create a trail for all regions, with an SNS topic, and start logging (StartLogging)."
    return Finding("error", "TC501", text, fix)


def _delivered_lately(subject: Subject) -> bool:
    now = datetime.now(UTC)
    return any(
        now - found.newest[0].modified < RECENT
        for place in bucket.find_buckets(subject)
        if (found := newest_log.find_newest_logs(subject, place.name, place.region)).newest
    )


def _check_logging(
    subject: Subject, trail: Trail, status: AwsAnswer, *, logging_trails: int
) -> Iterator[Finding]:
    """Check whether *trail* logs; *logging_trails* is how many of the source's trails do."""
    if not status.good:
        lost = "whether it logs, delivers and notifies is not known"
        yield aws_findings.not_seen_finding(subject, status, "TC504", lost)
        return
    name, response = trail["Name"], status.response
    if not response.get("IsLogging"):
        stopped = response.get("StopLoggingTime")
        since = f" since {stopped:%Y-%m-%d %H:%M}Z" if stopped else ""
        text = f"trail {name} does not log{since}"
        fix = f"Start it: aws cloudtrail start-logging --name {trail['TrailARN']}"
        yield Finding("warning" if logging_trails else "error", "TC502", text, fix)
        return
    yield Finding("ok", "TC502", f"trail {name} logs")
    if finding := _check_age(subject, response):
        yield finding


def _check_age(subject: Subject, status: Status) -> Finding | None:
    """Compare when the trail began to log with when records began to be missing."""
    since, began = subject.shared.since, status.get("StartLoggingTime")
    line = broker.read_source_state(subject)
    success = line.standing.last_success_seconds if line else None
    if since is None and success is not None:
        since = datetime.now(UTC) - timedelta(seconds=success)
    if since is None or began is None:
        return None
    if began <= since:
        return Finding("ok", "TC509", f"the trail has logged since {began:%Y-%m-%d %H:%M}Z")
    text = (
        f"the trail has logged only since {began:%Y-%m-%d %H:%M}Z, and records are missing since "
        f"{since:%Y-%m-%d %H:%M}Z: no log file covers the time between"
    )
    fix = "Look it up in the event history: aws cloudtrail lookup-events."
    return Finding("warning", "TC509", text, fix)


def _check_regions(trail: Trail) -> Finding:
    name = trail["Name"]
    if trail.get("IsMultiRegionTrail"):
        return Finding("ok", "TC503", f"trail {name} logs in all regions")
    text = f"trail {name} logs only in {trail['HomeRegion']}"
    fix = (
        f"Extend it: aws cloudtrail update-trail --name {trail['TrailARN']} --is-multi-region-trail"
    )
    return Finding("warning", "TC503", text, fix)


def _check_digests(trail: Trail, statuses: Mapping[str, Status]) -> Finding:
    name = trail["Name"]
    if wrong := trail_delivery.join_errors(statuses, "LatestDigestDeliveryError"):
        text = f"trail {name} cannot write digests to {trail['S3BucketName']}: {wrong}"
        return Finding(
            "warning", "TC507", text, "Allow CloudTrail-Digest/ in the bucket's policy too."
        )
    if trail.get("LogFileValidationEnabled"):
        return Finding("ok", "TC507", f"trail {name} writes digests")
    text = f"trail {name} writes no digests: nobody can prove that its files are unaltered"
    fix = (
        "Turn them on: aws cloudtrail update-trail --enable-log-file-validation "
        f"--name {trail['TrailARN']}"
    )
    return Finding("warning", "TC507", text, fix)


def _check_bucket(subject: Subject, trail: Trail) -> Iterator[Finding]:
    written, buckets = trail["S3BucketName"], subject.source.buckets
    if buckets and not keys.is_allowed(written, buckets):
        text = f"trail {trail['Name']} writes to {written}, which `buckets` does not allow"
        yield Finding("error", "TC508", text, f'Add "{written}" to `buckets` of the source.')


def _check_announcement(subject: Subject, trail: Trail, ours: Sequence[Trail]) -> Finding:
    name = trail["Name"]
    if announced := trail.get("SnsTopicARN"):
        return Finding("ok", "TC505", f"trail {name} notifies {announced}")
    if errors := subject.errors("TC408"):
        return aws_findings.blocked_finding("TC505", errors[0].id)
    if topic.notified_without_trail_topic(subject):
        return Finding(
            "ok", "TC505", f"S3 or EventBridge notifies of the log files of trail {name}"
        )
    other = any(each.get("SnsTopicARN") for each in ours)
    if not other and (denied := bucket.denied_notifications(subject)):
        lost = f"trail {name} has no SNS topic, and whether S3 notifies of its files is not known"
        return aws_findings.not_seen_finding(subject, denied, "TC505", lost)
    text = f"trail {name} has no SNS topic, so it notifies nobody"
    fix = f"Add one: aws cloudtrail update-trail --name {trail['TrailARN']} --sns-topic-name TOPIC"
    return Finding("not-checked" if other else "error", "TC505", text, fix)
