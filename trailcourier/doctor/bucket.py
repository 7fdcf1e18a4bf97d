"""The buckets: where they are, what the source may do there, and what lies in them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from trailcourier import keys, regions
from trailcourier.doctor import hosts, logs, order, reading, statements, trails, trouble
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.printable import age

MOST = 3  # buckets looked at
OLD = 86_400  # seconds; an account in use delivers several times a day

TOLD: Entries = {
    "TC601": Entry(
        "Is there such a bucket?",
        ("ok", "unproved", "error"),
        "Looked at are the buckets that `buckets` names in full and those of the trails. With "
        "globs alone none is known by name before a message names one.",
    ),
    "TC602": Entry(
        "Is the bucket in the region that is configured?",
        ("ok", "warning", "error"),
        "This is the 301 error: the region of the event source is not the one of the bucket with "
        "CloudTrail's logs, and S3 answers `301 PermanentRedirect` (or 400, "
        "`AuthorizationHeaderMalformed`). Make both the same, or leave `bucket_region` out. "
        "Trailcourier follows the redirect and says so, which is a warning; with `strict_region` "
        "it parks what it would have to read elsewhere, which is an error.",
    ),
    "TC603": Entry(
        "Does the bucket belong to the expected account?",
        ("error",),
        "S3 denies everything where `expected_bucket_owner` is not the account that owns the "
        "bucket. Either the number is wrong, or somebody else has taken a bucket of that name.",
    ),
    "TC604": Entry(
        "May the bucket be listed?",
        ("ok", "warning"),
        "Trailcourier reads without `s3:ListBucket`, but then S3 answers 403 for an object that is "
        "missing as for one that is denied, and it is not seen what lies in the bucket.",
    ),
    "TC605": Entry(
        "Are there log files, and recent ones?",
        ("ok", "unproved", "warning"),
        "The newest object under `AWSLogs/`, found by listing some folders of accounts and "
        "regions. CloudTrail delivers about every five minutes while anything happens. Whether "
        "none at all is an error is said by TC7, beside what the queue holds.",
    ),
}


class Place(msgspec.Struct, frozen=True):
    """A bucket and where it is; *asked* is the region it is asked for first."""

    name: str
    asked: str
    region: str
    head: Answer


def places(subject: Subject) -> list[Place]:
    """Return the buckets that are known by name, each asked for once."""
    return subject.known.get("buckets", lambda: [_place(subject, x) for x in _names(subject)])


def _names(subject: Subject) -> list[str]:
    """Return the buckets that are named in full, and those the trails write to."""
    allowed = subject.source.buckets
    named = [each for each in allowed if not set(each) & set("*?[")]
    written = [trail["S3BucketName"] for trail in trails.seen(subject).ours]
    named += [each for each in written if keys.allowed(each, allowed)]
    return list(dict.fromkeys(named))[:MOST]


def _place(subject: Subject, name: str) -> Place:
    asked = subject.source.bucket_region or subject.source.queue.region
    head = subject.ask_once(_head(subject, name, asked))
    return Place(name, asked, _region(subject, name, head) or asked, head)


def _head(subject: Subject, name: str, region: str, *, owner: str | None = None) -> Call:
    given = {"Bucket": name} | ({"ExpectedBucketOwner": owner} if owner else {})
    return Call("s3", "head_bucket", region, "s3:ListBucket", arn(subject, name), given)


def notifications(subject: Subject, place: Place) -> Mapping[str, Any]:
    """Return what the bucket notifies whom of, as far as that may be seen."""
    answer = notified(subject, place)
    return answer.said if answer.good else {}


def unannounced(subject: Subject) -> Answer | None:
    """Return the denial that keeps it from being seen what a bucket notifies whom of."""
    asked = [notified(subject, place) for place in places(subject)]
    return next((each for each in asked if each.denied), None)


def notified(subject: Subject, place: Place) -> Answer:
    """Return S3's answer to whom the bucket notifies of what."""
    call, given = "get_bucket_notification_configuration", {"Bucket": place.name}
    resource = arn(subject, place.name)
    return subject.ask_once(
        Call("s3", call, place.region, "s3:GetBucketNotification", resource, given)
    )


def arn(subject: Subject, name: str) -> str:
    return f"arn:{subject.source.queue.partition}:s3:::{name}"


def _region(subject: Subject, name: str, head: Answer) -> str | None:
    """Return the region S3 names: it does so in 200, 301, 400 and 403 alike."""
    said = head.headers.get("x-amz-bucket-region") or head.said.get("BucketRegion")
    if not said and head.fault is not None and head.fault.reason == "region":
        located = Call(
            "s3",
            "get_bucket_location",
            subject.source.queue.region,
            "s3:GetBucketLocation",
            arn(subject, name),
            {"Bucket": name},
        )
        answer = subject.ask_once(located)
        said = (answer.said.get("LocationConstraint") or "us-east-1") if answer.good else None
    try:
        return regions.code(str(said)) if said else None
    except ValueError:
        return None


@order.after(*order.KEYS, says="TC601")
def look(subject: Subject) -> Iterator[Finding]:
    """Look where the buckets are, and what may be seen and read there."""
    found = places(subject)
    if not found:
        text = "no bucket is known by name, so none is looked at"
        yield Finding("unproved", "TC601", text, "Name one in `buckets` of the source in full.")
    for place in found:
        yield from _one(subject, place)


def _one(subject: Subject, place: Place) -> Iterator[Finding]:
    head = place.head
    if head.fault is not None and head.fault.reason == "no-such-bucket":
        if subject.errors("TC508"):  # the trail's bucket is another: that is the cause
            yield trouble.behind("TC601", "TC508")
            return
        text = f"there is no bucket {place.name}"
        fix = "Compare the name with the trail's: `aws cloudtrail describe-trails`."
        yield Finding("error", "TC601", text, fix)
        return
    if not (head.good or head.denied or place.region != place.asked):
        yield trouble.told(subject, head, "TC601")
        return
    yield Finding("ok", "TC601", f"bucket {place.name} is there, in {place.region}")
    yield _where(subject, place)
    elsewhere = place.region != place.asked
    if elsewhere and (unreached := hosts.closed(subject, place.name, place.region)):
        yield unreached
        return
    if wrong := _owner(subject, place):
        yield wrong
        return
    yield from _contents(subject, place)


def _where(subject: Subject, place: Place) -> Finding:
    source, actual = subject.source, place.region
    if actual == place.asked:
        return Finding("ok", "TC602", f"S3 answers for {place.name} in {actual}")
    if source.bucket_region is None:
        return Finding("ok", "TC602", f"{place.name} is in {actual}, the queue in {place.asked}")
    status = place.head.said.get("ResponseMetadata", {}).get("HTTPStatusCode", 301)
    text = (
        f"301: bucket_region is {place.asked}, and the bucket {place.name} is in {actual} (S3 "
        f"answered {status})"
    )
    fix = f'Make both the same: `bucket_region = "{actual}"`, or leave it out.'
    return Finding("error" if source.strict_region else "warning", "TC602", text, fix)


def _owner(subject: Subject, place: Place) -> Finding | None:
    owner = subject.source.expected_bucket_owner
    if owner is None:
        return None
    strict = subject.ask_once(_head(subject, place.name, place.region, owner=owner))
    if not strict.denied or not subject.ask_once(_head(subject, place.name, place.region)).good:
        return None
    text = f"bucket {place.name} does not belong to account {owner}"
    fix = "Correct `expected_bucket_owner`; if it is right, the bucket is somebody else's."
    return Finding("error", "TC603", text, fix)


def _contents(subject: Subject, place: Place) -> Iterator[Finding]:
    found = logs.recent(subject, place.name, place.region)
    if found.trouble is not None and found.trouble.denied:
        lost = "what lies there is not seen, and a missing object looks like a denied one"
        yield statements.denied(subject, found.trouble, "TC604", "warning", lost)
        yield Finding("unproved", "TC605", f"which log files {place.name} holds is not seen")
    elif found.trouble is not None:
        yield trouble.told(subject, found.trouble, "TC604", "warning")
        return
    else:
        yield Finding("ok", "TC604", f"{place.name} may be listed")
        yield _newest(place, found)
    yield from reading.look(subject, place.name, place.region, found)


def _newest(place: Place, found: logs.Found) -> Finding:
    looked = "" if found.all else f", in the {found.folders} folders looked into"
    if not found.newest:
        text = f"{place.name} holds no log file{looked}"
        return Finding("warning", "TC605", text, "See what TC5 says of the trail.")
    newest = found.newest[0]
    old = (datetime.now(UTC) - newest.modified).total_seconds()
    text = f"the newest log file in {place.name} is {age(old)} old{looked}"
    if old > OLD:
        return Finding("warning", "TC605", text, "See what TC5 says of the trail.")
    return Finding("ok", "TC605", text)
