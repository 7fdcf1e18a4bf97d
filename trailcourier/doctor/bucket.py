"""The buckets: their region, what the source may do there, and their newest log files."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from trailcourier import keys
from trailcourier.aws import regions
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import (
    aws_findings,
    bucket_names,
    hosts,
    ledger_buckets,
    newest_log,
    prerequisites,
    sample_read,
    statements,
    trails,
)
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.text import age

MOST = 3  # buckets checked
OLD = 86_400  # seconds; an account in use delivers several times a day

ENTRIES: Entries = {
    "TC601": CatalogueEntry(
        "Does the bucket exist?",
        ("ok", "not-checked", "error"),
        "Doctor checks the buckets that `buckets` names in full, and those that it allows and "
        "that doctor learns of: from the trails, the queue's policy, what the line read before, "
        "and S3's list of the account's buckets. SQS shows no message without receiving it, so "
        "the messages that wait are not looked at.",
    ),
    "TC602": CatalogueEntry(
        "Is the bucket in the region that is configured?",
        ("ok", "warning", "error"),
        "This is the 301 error: `bucket_region` of the source is not the region of the bucket, and "
        "S3 answers `301 PermanentRedirect` (or 400, `AuthorizationHeaderMalformed`). Set "
        "`bucket_region` to the bucket's region, or leave it out. Trailcourier follows the "
        "redirect, so this is a warning; with `strict_region` it parks the objects instead, which "
        "is an error.",
    ),
    "TC603": CatalogueEntry(
        "Does the bucket belong to the expected account?",
        ("error",),
        "S3 denies every call if `expected_bucket_owner` is not the account that owns the bucket. "
        "Either the account number is wrong, or somebody else owns a bucket of that name.",
    ),
    "TC604": CatalogueEntry(
        "May the source list the bucket?",
        ("ok", "warning"),
        "Trailcourier can read without `s3:ListBucket`. But then S3 answers 403 both for a missing "
        "object and for a denied one, and doctor cannot see which log files exist.",
    ),
    "TC605": CatalogueEntry(
        "Does the bucket hold recent log files?",
        ("ok", "not-checked", "warning"),
        "The newest object under `AWSLogs/`, found by listing some of the folders of accounts and "
        "regions. CloudTrail delivers about every five minutes while there is activity. TC7 "
        "compares this with the queue, and decides whether having none is an error.",
    ),
    "TC609": CatalogueEntry(
        "Do messages name allowed buckets only?",
        ("warning", "error"),
        "Messages named a bucket that `buckets` does not allow, so their objects are in quarantine "
        "(`bucket-not-allowed`). It is an error if that happened within a day. Add the bucket if "
        "it is yours, else find out who sends such messages: `trailcourier quarantine list`.",
    ),
}


_ALLOW_LIST = "Allow the call that TC604 names."


class BucketLocation(msgspec.Struct, frozen=True):
    """A bucket, the region it is in, and the region *asked* first; *head* is S3's answer there."""

    name: str
    asked: str
    region: str
    head: AwsAnswer


def find_buckets(subject: Subject) -> list[BucketLocation]:
    """Return the buckets that are known by name; each is located once."""
    names = bucket_names.find_names
    return subject.cache.get(
        "buckets", lambda: [_locate(subject, each) for each in names(subject)[:MOST]]
    )


def _locate(subject: Subject, name: str) -> BucketLocation:
    asked = subject.source.bucket_region or subject.source.queue.region
    head = _ask_head(subject, name, asked)
    return BucketLocation(name, asked, _region(subject, name, head) or asked, head)


def _ask_head(subject: Subject, name: str, region: str) -> AwsAnswer:
    call = AwsCall("s3", "HeadBucket", region, subject.bucket_arn(name), {"Bucket": name})
    return subject.ask_once(call)


def read_notifications(subject: Subject, place: BucketLocation) -> Mapping[str, Any]:
    """Return the bucket's notification configuration; empty if it cannot be read."""
    answer = ask_notifications(subject, place)
    return answer.response if answer.good else {}


def denied_notifications(subject: Subject) -> AwsAnswer | None:
    """Return the first denial of a bucket's notification configuration, or None."""
    asked = [ask_notifications(subject, place) for place in find_buckets(subject)]
    return next((each for each in asked if each.denied), None)


def ask_notifications(subject: Subject, place: BucketLocation) -> AwsAnswer:
    """Return S3's answer for the bucket's notification configuration."""
    arn, given = subject.bucket_arn(place.name), {"Bucket": place.name}
    call = AwsCall("s3", "GetBucketNotificationConfiguration", place.region, arn, given)
    return subject.ask_once(call)


def _region(subject: Subject, name: str, head: AwsAnswer) -> str | None:
    """Return the region that S3 names; its answers 200, 301, 400 and 403 all name it."""
    said = head.bucket_region
    if not said and head.fault is not None and head.fault.reason == "region":
        home, arn = subject.source.queue.region, subject.bucket_arn(name)
        answer = subject.ask_once(AwsCall("s3", "GetBucketLocation", home, arn, {"Bucket": name}))
        said = (answer.response.get("LocationConstraint") or "us-east-1") if answer.good else ""
    try:
        return regions.parse_code(said) if said else None
    except ValueError:
        return None


@prerequisites.skip_after_errors(*prerequisites.CREDENTIAL_ERRORS, reports="TC601")
def check_buckets(subject: Subject) -> Iterator[Finding]:
    """Check where the buckets are, and what the source may list and read there."""
    found = find_buckets(subject)
    if not found:
        text = "no bucket is known by name, so none was checked"
        fix = "Name one in full in `buckets`, or lend doctor a profile that may list buckets."
        yield Finding("not-checked", "TC601", text, fix)
    for place in found:
        yield from _check_bucket(subject, place)
    for name, ago in ledger_buckets.find_buckets(subject).refused.items():
        yield _report_refused(subject, name, ago)


def _report_refused(subject: Subject, name: str, ago: float) -> Finding:
    """Return the finding for the bucket *name*, which messages named and `buckets` does not."""
    if keys.is_allowed(name, subject.source.buckets):
        text = f"messages named the bucket {name} before `buckets` allowed it, {age(ago)} ago"
        fix = "Deliver their objects: `trailcourier quarantine retry`."
        return Finding("warning", "TC609", text, fix)
    text = f"messages name the bucket {name}, last {age(ago)} ago, and `buckets` does not allow it"
    fix = f'If it is yours, add "{name}" to `buckets`, then run `trailcourier quarantine retry`.'
    return Finding("error" if ago < OLD else "warning", "TC609", text, fix)


def _check_bucket(subject: Subject, place: BucketLocation) -> Iterator[Finding]:
    head = place.head
    if head.fault is not None and head.fault.reason == "no-such-bucket":
        if subject.errors("TC508"):  # the trail writes to another bucket: that is the cause
            yield aws_findings.blocked_finding("TC601", "TC508")
            return
        text = f"the bucket {place.name} does not exist"
        fix = "Compare the name with the trail's: `aws cloudtrail describe-trails`."
        yield Finding("error", "TC601", text, fix)
        return
    if not (head.good or head.denied or place.region != place.asked):
        yield aws_findings.failure_finding(subject, head, "TC601")
        return
    yield Finding("ok", "TC601", f"bucket {place.name} exists, in {place.region}")
    yield _check_region(subject, place)
    elsewhere = place.region != place.asked
    if elsewhere and (unreached := hosts.check_bucket_host(subject, place.name, place.region)):
        yield unreached
        return
    if wrong := _check_owner(subject, place):
        yield wrong
        return
    yield from _check_contents(subject, place)


def _check_region(subject: Subject, place: BucketLocation) -> Finding:
    source, actual = subject.source, place.region
    if actual == place.asked:
        return Finding("ok", "TC602", f"{place.name} is in {actual}, where the source asks for it")
    if source.bucket_region is None:
        return Finding("ok", "TC602", f"{place.name} is in {actual}, the queue in {place.asked}")
    status = place.head.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 301)
    text = (
        f"301: bucket_region is {place.asked}, and the bucket {place.name} is in {actual} (S3 "
        f"answered {status})"
    )
    fix = f'Set `bucket_region = "{actual}"` in the source, or leave `bucket_region` out.'
    return Finding("error" if source.strict_region else "warning", "TC602", text, fix)


def _check_owner(subject: Subject, place: BucketLocation) -> Finding | None:
    owner = subject.source.expected_bucket_owner
    if owner is None:
        return None
    lenient = _ask_head(subject, place.name, place.region)
    parameters = subject.bucket_parameters(place.name)
    strict = subject.ask_once(replace(lenient.call, parameters=parameters))
    if not strict.denied or not lenient.good:
        return None
    text = f"bucket {place.name} does not belong to account {owner}"
    fix = "Correct `expected_bucket_owner`; if it is right, the bucket is somebody else's."
    return Finding("error", "TC603", text, fix)


def _check_contents(subject: Subject, place: BucketLocation) -> Iterator[Finding]:
    found = newest_log.find_newest_logs(subject, place.name, place.region)
    if found.denial is not None:
        lost = f"the profile {subject.lent.profile} lists it instead"
        yield statements.denial_finding(subject, found.denial, "TC604", "warning", lost)
        yield _judge_newest(place, found)
    elif found.failure is not None and found.failure.denied:
        if denial := sample_read.reading_denied(subject, place.name, place.region):
            yield from _all_denied(subject, place, denial)
            return
        lost = "its log files cannot be seen, and S3 answers 403 for a missing object too"
        subject.denied.setdefault("TC604", found.failure.call)
        yield statements.denial_finding(subject, found.failure, "TC604", "warning", lost)
        yield Finding(
            "not-checked", "TC605", f"which log files {place.name} holds is not known", _ALLOW_LIST
        )
    elif found.failure is not None:
        yield aws_findings.failure_finding(subject, found.failure, "TC604", "warning")
        return
    else:
        yield Finding("ok", "TC604", f"the source may list {place.name}")
        yield _judge_newest(place, found)
    yield from sample_read.check_sample_log(subject, place.name, place.region, found)


def _all_denied(subject: Subject, place: BucketLocation, denial: AwsAnswer) -> Iterator[Finding]:
    """Yield the findings for a bucket that may be neither listed nor read."""
    arn = subject.bucket_arn(place.name)
    detail = denial.fault.detail if denial.fault else ""
    text = (
        f"{subject.principal} may neither list {place.name} nor read its objects: S3 denies every "
        f"call. AWS: {detail}"
    )
    missing = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
    fix = statements.permission_fix(subject, missing, [arn, f"{arn}/*"], detail)
    ours = trails.find_trails(subject).ours
    keys_used = sorted({x["KmsKeyId"] for x in ours if x.get("KmsKeyId")})
    for key in keys_used:
        fix = f"{fix} For the key: {statements.allow_statement(['kms:Decrypt'], key)}."
    if not keys_used:
        fix = f"{fix} If a KMS key encrypts the log files, kms:Decrypt on it too."
    yield Finding("error", "TC606", text, fix)
    for id_ in ("TC604", "TC605"):
        yield aws_findings.blocked_finding(id_, "TC606")


def _judge_newest(place: BucketLocation, found: newest_log.NewestLogs) -> Finding:
    extent = "" if found.complete else f", in the {found.folders} folders that were listed"
    if not found.newest:
        text = f"{place.name} holds no log file{extent}"
        return Finding("warning", "TC605", text, "See the trail's findings, TC501 to TC508.")
    newest = found.newest[0]
    old = (datetime.now(UTC) - newest.modified).total_seconds()
    text = f"the newest log file in {place.name} is {age(old)} old{extent}"
    if old > OLD:
        return Finding("warning", "TC605", text, "See the trail's findings, TC501 to TC508.")
    return Finding("ok", "TC605", text)
