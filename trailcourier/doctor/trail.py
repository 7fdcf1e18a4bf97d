"""The trail: there, logging, everywhere, delivering, announcing."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from trailcourier import keys
from trailcourier.doctor import broker, bucket, logs, order, topic, trails, trouble
from trailcourier.doctor.call import Answer
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.doctor.trails import Trail
from trailcourier.printable import age

LATE = timedelta(hours=1)
UNANNOUNCED = timedelta(minutes=15)
RECENT = timedelta(days=1)

Status = Mapping[str, Any]

TOLD: Entries = {
    "TC501": Entry(
        "Is there a trail that feeds this source?",
        ("ok", "unproved", "error"),
        "CloudTrail's event history is on by itself and keeps 90 days, but is delivered nowhere: "
        "log files come from a trail only. A trail of another account is not seen from here; log "
        "files in the bucket show that there is one.",
    ),
    "TC502": Entry(
        "Is it logging?",
        ("ok", "warning", "error"),
        "A trail made by the API or a template does not log before `StartLogging`; somebody may "
        "also have stopped it, which is worth an inquiry.",
    ),
    "TC503": Entry(
        "Does it log in all regions?",
        ("ok", "warning"),
        "A trail of one region shows nothing of what an attacker does in another, where nothing of "
        "yours runs.",
    ),
    "TC504": Entry(
        "Does it deliver?",
        ("ok", "unproved", "warning", "error"),
        "CloudTrail's own last error and time of delivery, in each region that has log files. It "
        "tries again for 30 days once the bucket's policy or key is mended.",
    ),
    "TC505": Entry(
        "Does it announce what it delivers?",
        ("ok", "unproved", "error"),
        "Without an SNS topic on the trail, and without notifications of S3 in its place, no "
        "message ever comes.",
    ),
    "TC506": Entry(
        "Do its announcements succeed?",
        ("ok", "unproved", "warning", "error"),
        "CloudTrail's own last error and time of notification. What was not announced is not "
        "announced later.",
    ),
    "TC507": Entry(
        "Does it write digests?",
        ("ok", "warning"),
        "Log file validation is what later proves that no log file was altered or taken away.",
    ),
    "TC508": Entry(
        "Does it write where this source reads?",
        ("error",),
        "The trail's bucket is not one that `buckets` allows, so its messages are refused "
        "(`bucket-not-allowed`).",
    ),
    "TC509": Entry(
        "Is it older than the silence?",
        ("ok", "warning"),
        "What happened before the trail began to log is in no log file. The silence began when "
        "`--since` says, or with the line's last delivery. Event history keeps 90 days of "
        "management events: `aws cloudtrail lookup-events`.",
    ),
}


@order.after(*order.KEYS, says="TC501")
def look(subject: Subject) -> Iterator[Finding]:
    """Look whether a trail delivers and announces."""
    found = trails.seen(subject)
    if not found.ours:
        yield _none(subject, found)
        return
    ours = found.ours[: trails.MOST]
    names = ", ".join(trail["TrailARN"] for trail in ours)
    yield Finding("ok", "TC501", f"fed by {names}")
    states = {trail["TrailARN"]: trails.status(subject, trail) for trail in ours}
    logging = [trail for trail in ours if states[trail["TrailARN"]].said.get("IsLogging")]
    for trail in ours:
        home = states[trail["TrailARN"]]
        yield from _logs(subject, trail, home, beside=len(logging))
        yield _regions(trail)
        said = yield from _delivers(subject, trail, home if trail in logging else None)
        yield _announces(subject, trail, ours)
        if said and trail.get("SnsTopicARN"):
            yield _notifications(subject, trail, said)
        yield _digests(trail, said)
        yield from _writes(subject, trail)


def _none(subject: Subject, found: trails.Seen) -> Finding:
    missed = found.trouble
    if missed is not None:
        lost = "whether a trail logs, delivers and announces is not seen"
        return trouble.unseen(subject, missed, "TC501", lost)
    if _delivered_lately(subject):
        text = "no trail of this account feeds the source; log files come, from another account's"
        return Finding("unproved", "TC501", text, "Look at that trail with its own credentials.")
    others = ", ".join(f"{each['Name']} (to {each['S3BucketName']})" for each in found.trails)
    text = (
        f"the account's trails write elsewhere: {others}"
        if others
        else "there is no trail: what happens is kept for 90 days as event history, and delivered "
        "nowhere"
    )
    fix = "Create a trail for all regions, with an SNS topic, and let it log (StartLogging)."
    return Finding("error", "TC501", text, fix)


def _delivered_lately(subject: Subject) -> bool:
    now = datetime.now(UTC)
    return any(
        now - found.newest[0].modified < RECENT
        for place in bucket.places(subject)
        if (found := logs.recent(subject, place.name, place.region)).newest
    )


def _logs(subject: Subject, trail: Trail, status: Answer, *, beside: int) -> Iterator[Finding]:
    """Say whether *trail* logs; *beside* is how many of the source's trails do."""
    if not status.good:
        lost = "whether it logs, delivers and announces is not seen"
        yield trouble.unseen(subject, status, "TC504", lost)
        return
    name, said = trail["Name"], status.said
    if not said.get("IsLogging"):
        stopped = said.get("StopLoggingTime")
        since = f" since {stopped:%Y-%m-%d %H:%M}Z" if stopped else ""
        text = f"trail {name} does not log{since}"
        fix = f"aws cloudtrail start-logging --name {trail['TrailARN']}"
        yield Finding("warning" if beside else "error", "TC502", text, fix)
        return
    yield Finding("ok", "TC502", f"trail {name} logs")
    if silence := _silence(subject, said):
        yield silence


def _silence(subject: Subject, said: Status) -> Finding | None:
    """Compare when the trail began with when records began to be missed."""
    since, began = subject.shared.since, said.get("StartLoggingTime")
    line = broker.line(subject)
    success = line.standing.last_success_seconds if line else None
    if since is None and success is not None:
        since = datetime.now(UTC) - timedelta(seconds=success)
    if since is None or began is None:
        return None
    if began <= since:
        return Finding("ok", "TC509", f"it has logged since {began:%Y-%m-%d %H:%M}Z")
    text = (
        f"it logs since {began:%Y-%m-%d %H:%M}Z only, and the silence began at "
        f"{since:%Y-%m-%d %H:%M}Z: what happened between is in no log file"
    )
    return Finding("warning", "TC509", text, "Event history has it: aws cloudtrail lookup-events.")


def _regions(trail: Trail) -> Finding:
    name = trail["Name"]
    if trail.get("IsMultiRegionTrail"):
        return Finding("ok", "TC503", f"trail {name} logs in all regions")
    text = f"trail {name} logs in {trail['HomeRegion']} alone"
    fix = f"aws cloudtrail update-trail --name {trail['TrailARN']} --is-multi-region-trail"
    return Finding("warning", "TC503", text, fix)


def _digests(trail: Trail, said: Mapping[str, Status]) -> Finding:
    name = trail["Name"]
    if wrong := _errors(said, "LatestDigestDeliveryError"):
        text = f"trail {name} cannot write digests to {trail['S3BucketName']}: {wrong}"
        return Finding(
            "warning", "TC507", text, "Let the bucket's policy cover CloudTrail-Digest/."
        )
    if trail.get("LogFileValidationEnabled"):
        return Finding("ok", "TC507", f"trail {name} writes digests")
    text = f"trail {name} writes no digests: nobody can prove that its files are unaltered"
    fix = f"aws cloudtrail update-trail --name {trail['TrailARN']} --enable-log-file-validation"
    return Finding("warning", "TC507", text, fix)


def _writes(subject: Subject, trail: Trail) -> Iterator[Finding]:
    written, buckets = trail["S3BucketName"], subject.source.buckets
    if buckets and not keys.allowed(written, buckets):
        text = f"trail {trail['Name']} writes to {written}, which `buckets` does not allow"
        yield Finding("error", "TC508", text, f'Add "{written}" to `buckets` of the source.')


def _announces(subject: Subject, trail: Trail, ours: Sequence[Trail]) -> Finding:
    name = trail["Name"]
    if announced := trail.get("SnsTopicARN"):
        return Finding("ok", "TC505", f"trail {name} announces to {announced}")
    if first := subject.errors("TC408"):
        return trouble.behind("TC505", first[0].id)
    if topic.announced_otherwise(subject):
        return Finding("ok", "TC505", f"what trail {name} delivers is announced by S3")
    other = any(each.get("SnsTopicARN") for each in ours)
    if not other and (denied := bucket.unannounced(subject)):
        lost = f"trail {name} has no SNS topic, and whether S3 announces its files is not seen"
        return trouble.unseen(subject, denied, "TC505", lost)
    text = f"trail {name} announces nothing: it has no SNS topic"
    fix = f"aws cloudtrail update-trail --name {trail['TrailARN']} --sns-topic-name TOPIC"
    return Finding("unproved" if other else "error", "TC505", text, fix)


def _delivers(
    subject: Subject, trail: Trail, home: Answer | None
) -> Generator[Finding, None, Mapping[str, Status]]:
    """Tell how *trail* delivers, and return its status in each region with log files.

    *home* is the answer of its home region, None where it does not log.
    """
    if home is None:
        return {}
    states = {trail["HomeRegion"]: home} | _elsewhere(subject, trail)
    said = {region: each.said for region, each in states.items() if each.good}
    missed = {region: each for region, each in states.items() if not each.good}
    for region, each in missed.items():
        lost = f"how trail {trail['Name']} does in {region} is not seen"
        yield trouble.unseen(subject, each, "TC504", lost)
    yield _deliveries(trail, said)
    return said


def _elsewhere(subject: Subject, trail: Trail) -> dict[str, Answer]:
    if not trail.get("IsMultiRegionTrail"):
        return {}
    regions = sorted(
        region
        for place in bucket.places(subject)
        for region in logs.recent(subject, place.name, place.region).regions
        if region != trail["HomeRegion"]
    )
    answers = subject.together([trails.asking(trail, region) for region in regions])
    return dict(zip(regions, answers, strict=True))


def _deliveries(trail: Trail, said: Mapping[str, Status]) -> Finding:
    name = trail["Name"]
    if wrong := _errors(said, "LatestDeliveryError"):
        text = f"trail {name} cannot deliver to {trail['S3BucketName']}: {wrong}"
        fix = (
            "Mend the bucket's policy for cloudtrail.amazonaws.com (s3:GetBucketAcl, s3:PutObject "
            "with aws:SourceArn), and the policy of its key if it is encrypted with one."
        )
        return Finding("error", "TC504", text, fix)
    last = _latest(said, "LatestDeliveryTime")
    if last is None:
        return Finding("warning", "TC504", f"trail {name} has not delivered yet", _WAIT)
    old = datetime.now(UTC) - last
    asked = f"{len(said)} region{'s' if len(said) > 1 else ''} asked"
    text = f"trail {name} delivered {age(old.total_seconds())} ago, in {asked}"
    return Finding("warning", "TC504", text, _WAIT) if old > LATE else Finding("ok", "TC504", text)


_WAIT = "A new trail takes a quarter of an hour; one in use delivers every few minutes."


def _notifications(subject: Subject, trail: Trail, said: Mapping[str, Status]) -> Finding:
    name, to = trail["Name"], trail["SnsTopicARN"]
    if wrong := _errors(said, "LatestNotificationError"):
        if known := subject.errors("TC404", "TC407"):
            return trouble.behind("TC506", known[0].id)
        text = f"trail {name} cannot publish to {to}: {wrong}"
        fix = "Mend the topic's policy (TC404), and that of its key if it is encrypted with one."
        return Finding("error", "TC506", text, fix)
    last = _latest(said, "LatestNotificationTime")
    delivered = _latest(said, "LatestDeliveryTime")
    if last is None or delivered is None:
        return Finding("unproved", "TC506", f"when trail {name} last announced is not told")
    text = f"trail {name} announced {age((datetime.now(UTC) - last).total_seconds())} ago"
    if delivered - last > UNANNOUNCED:
        behind = age((delivered - last).total_seconds())
        text = f"{text}, {behind} before it last delivered"
        return Finding("warning", "TC506", text, "Look at the topic: TC402 to TC407.")
    return Finding("ok", "TC506", text)


def _errors(said: Mapping[str, Status], name: str) -> str:
    return ", ".join(f"{each[name]} in {region}" for region, each in said.items() if each.get(name))


def _latest(said: Mapping[str, Status], name: str) -> datetime | None:
    return max((each[name] for each in said.values() if each.get(name)), default=None)
