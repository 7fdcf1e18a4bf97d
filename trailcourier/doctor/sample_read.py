"""Reads one real log file, with the line's own code."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from trailcourier import records
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import (
    aws_findings,
    broker,
    deadlines,
    denial_places,
    newest_log,
    statements,
)
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects import Reader
from trailcourier.text import age

MIB = 1024 * 1024
SMALL = 4 * MIB  # the largest file to try; CloudTrail's files are rarely larger
PATIENCE = 10.0  # seconds
NO_SUCH_KEY = "AWSLogs/trailcourier-doctor-asks-for-no-object"

ENTRIES: Entries = {
    "TC606": CatalogueEntry(
        "Can the source read a log file?",
        ("ok", "not-checked", "warning", "error"),
        "Doctor reads a recent one with the line's own code. If there is none to read, a recent "
        "delivery by the workers is proof.",
    ),
    "TC607": CatalogueEntry(
        "Can the source use the key that encrypts the log files?",
        ("error",),
        "The source may read the object's metadata but not its content, so its KMS key is the "
        "cause. Reading needs `kms:Decrypt` in the source's policy and in the key's policy; the "
        "key has to be enabled, and may belong to another account.",
    ),
    "TC608": CatalogueEntry(
        "Is the file a valid CloudTrail log file?",
        ("ok", "warning"),
        "The file that doctor read is damaged or has no `Records`. If another program writes below "
        "the prefix, narrow the notifications to log files.",
    ),
}


def check_sample_log(
    subject: Subject, bucket: str, region: str, found: newest_log.NewestLogs
) -> Iterator[Finding]:
    """Read a log file of *found*, or an object that is parked; check that it is a log file."""
    ref = _candidate(subject, bucket, found.newest)
    if ref is None:
        yield from _report_line_reads(subject, bucket)
        return
    try:
        seconds = subject.shared.seconds_left(PATIENCE)
        data = deadlines.run_within(
            seconds, lambda: _reader(subject, ref.bucket, region).open(ref).body()
        )
    except TimeoutError:
        yield Finding("error", "TC606", f"{ref} could not be read within {PATIENCE:.0f} s", _SLOW)
    except Fault as fault:
        newest = any(each.key == ref.key for each in found.newest)
        yield _read_failed(subject, ref, region, fault, newest=newest)
    else:
        yield Finding("ok", "TC606", f"{ref} was read: {len(data):,} bytes")
        yield _check_content(ref, data)


_SLOW = "Look for what slows the connection to S3: a proxy, the network, a firewall that inspects."


def reading_denied(subject: Subject, bucket: str, region: str) -> AwsAnswer | None:
    """Return S3's denial of reading any object, if the caller may not list either; else None.

    Without the permission to list, S3 denies reading an object that does not exist.  Its message
    then names the action that is missing: s3:ListBucket, or s3:GetObject.
    """
    if _candidate(subject, bucket, ()) is not None:  # a real object tells more
        return None
    given = {**subject.bucket_parameters(bucket), "Key": NO_SUCH_KEY}
    call = AwsCall("s3", "GetObject", region, f"{subject.bucket_arn(bucket)}/*", given)
    answer = subject.ask_once(call)
    line = broker.read_source_state(subject)
    lately = line.standing.last_success_seconds if line else None
    delivered = lately is not None and lately < broker.RECENT_SECONDS
    listing = "s3:ListBucket" in (answer.fault.detail if answer.fault else "")
    return answer if answer.denied and not listing and not delivered else None


def _candidate(
    subject: Subject, bucket: str, newest: Sequence[newest_log.ListedLog]
) -> ObjectRef | None:
    small = next((each for each in newest if each.size <= SMALL), None)
    if small:
        return ObjectRef(bucket, small.key)
    line = broker.read_source_state(subject)
    parked = line.parked if line and not newest else ()
    return next((replace(each, size=None) for each in parked if each.bucket == bucket), None)


def _report_line_reads(subject: Subject, bucket: str) -> Iterator[Finding]:
    line = broker.read_source_state(subject)
    lately = line.standing.last_success_seconds if line else None
    if lately is not None and lately < broker.RECENT_SECONDS:
        yield Finding("ok", "TC606", f"the workers delivered a log file {age(lately)} ago")
        return
    text = f"no log file of {bucket} is known to try, so reading it was not checked"
    fix = "Run doctor again when the bucket holds a log file."
    yield Finding("not-checked", "TC606", text, fix)


def _reader(subject: Subject, bucket: str, region: str) -> Reader:
    reach = replace(subject.bucket_access, bucket_region=region)
    most = subject.source.max_compressed_mib * MIB
    return Reader(subject.session_for(bucket), reach, max_compressed=most)


def _read_failed(
    subject: Subject, ref: ObjectRef, region: str, fault: Fault, *, newest: bool
) -> Finding:
    """Return the finding for *fault*; *newest* is whether *ref* is one of the newest log files."""
    head = subject.ask_once(_head(subject, ref, region))
    match fault.reason:
        case "access-denied" if head.good or "kms" in fault.detail.lower():
            return _key_denied(subject, ref, fault, head)
        case "access-denied":
            answer = AwsAnswer(_read_call(subject, ref, region), fault=fault)
            lost = "no log file can be read"
            return statements.denial_finding(subject, answer, "TC606", "error", lost)
        case "kms":
            text = f"the key that encrypts {ref} is unusable: {fault.detail}"
            return Finding("error", "TC607", text, "Enable the key in KMS, or restore it.")
        case "archived":
            text = f"{ref} is archived, and cannot be read until it is restored"
            fix = (
                "Change the lifecycle rule to archive log files after a week or later; restore "
                "those that are archived (aws s3api restore-object)."
            )
            return Finding("error" if newest else "warning", "TC606", text, fix)
        case _:
            call = _read_call(subject, ref, region)
            return aws_findings.failure_finding(subject, AwsAnswer(call, fault=fault), "TC606")


def _key_denied(subject: Subject, ref: ObjectRef, fault: Fault, head: AwsAnswer) -> Finding:
    """Return the finding for a readable *head* and a denied content: the key is not allowed."""
    partition = subject.source.queue.partition
    named = head.response.get("SSEKMSKeyId") or denial_places.find_key(fault.detail)
    key = named or f"arn:{partition}:kms:REGION:ACCOUNT:key/KEY"
    text = (
        f"{subject.principal} may not use the key {key}, which encrypts {ref}: S3 returns its "
        f"metadata but not its content. AWS: {fault.detail}"
    )
    fix = statements.permission_fix(subject, ["kms:Decrypt"], key, fault.detail)
    return Finding("error", "TC607", text, f"{fix} The key's policy has to allow it too.")


def _read_call(subject: Subject, ref: ObjectRef, region: str) -> AwsCall:
    """Return the call for a denial, on all objects: a statement for one object would not help."""
    return AwsCall("s3", "GetObject", region, f"{subject.bucket_arn(ref.bucket)}/*")


def _head(subject: Subject, ref: ObjectRef, region: str) -> AwsCall:
    given = {**subject.bucket_parameters(ref.bucket), "Key": ref.key}
    return replace(_read_call(subject, ref, region), operation="HeadObject", parameters=given)


def _check_content(ref: ObjectRef, data: bytes) -> Finding:
    try:
        count = records.open_log(data, records.LogLimits()).count
    except Fault as fault:
        text = f"{ref} is not a valid log file: {fault.detail}"
        fix = f"See {fault.reason} in docs/dispositions.md for the cause and the remedy."
        return Finding("warning", "TC608", text, fix)
    return Finding("ok", "TC608", f"{ref} is a valid log file with {count:,} records")
