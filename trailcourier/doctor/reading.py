"""Reading one real log file, as the line would."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from trailcourier import records
from trailcourier.doctor import bounded, broker, logs, statements, trouble
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects import Reader
from trailcourier.printable import age

MIB = 1024 * 1024
SMALL = 4 * MIB  # a file to read for trial; CloudTrail's are seldom larger
PATIENCE = 10.0

TOLD: Entries = {
    "TC606": Entry(
        "Can a log file be read?",
        ("ok", "unproved", "warning", "error"),
        "A recent one is read through the line's own code. Without any to read, what the line "
        "delivered lately is proof.",
    ),
    "TC607": Entry(
        "May the key that encrypts the log files be used?",
        ("error",),
        "The object's metadata may be read and its content may not: that is its KMS key. Reading "
        "needs `kms:Decrypt` in the source's policy and in the key's own; the key has to be "
        "enabled, and may be another account's.",
    ),
    "TC608": Entry(
        "Is it a CloudTrail log file?",
        ("ok", "warning"),
        "The file that was read is damaged or has no `Records`. If another program writes below "
        "the prefix, narrow what is announced.",
    ),
}


def look(subject: Subject, bucket: str, region: str, found: logs.Found) -> Iterator[Finding]:
    """Read a log file of *found*, or one that the line failed to read."""
    ref = _candidate(subject, bucket, found.newest)
    if ref is None:
        yield from _by_the_line(subject, bucket)
        return
    try:
        seconds = subject.shared.left(PATIENCE)
        data = bounded.within(
            seconds, lambda: _reader(subject, ref.bucket, region).open(ref).body()
        )
    except TimeoutError:
        yield Finding("error", "TC606", f"{ref} did not come within {PATIENCE:.0f} s", _SLOW)
    except Fault as fault:
        yield _refused(subject, ref, region, fault)
    else:
        yield Finding("ok", "TC606", f"{ref} was read: {len(data):,} bytes")
        yield _sound(ref, data)


_SLOW = "Look for what holds up the way to S3: a proxy, a slow line, a firewall that inspects."


def _candidate(subject: Subject, bucket: str, newest: Sequence[logs.LogFile]) -> ObjectRef | None:
    small = next((each for each in newest if each.size <= SMALL), None)
    if small:
        return ObjectRef(bucket, small.key)
    line = broker.line(subject)
    parked = line.parked if line and not newest else ()
    return next((replace(each, size=None) for each in parked if each.bucket == bucket), None)


def _by_the_line(subject: Subject, bucket: str) -> Iterator[Finding]:
    line = broker.line(subject)
    lately = line.standing.last_success_seconds if line else None
    if lately is not None and lately < broker.LATELY:
        yield Finding("ok", "TC606", f"the line delivered a file {age(lately)} ago")
        return
    text = f"there is no log file of {bucket} to try, so reading is not proved"
    yield Finding("unproved", "TC606", text)


def _reader(subject: Subject, bucket: str, region: str) -> Reader:
    reach = replace(subject.reach, bucket_region=region)
    most = subject.source.max_compressed_mib * MIB
    return Reader(subject.reading(bucket), reach, max_compressed=most)


def _refused(subject: Subject, ref: ObjectRef, region: str, fault: Fault) -> Finding:
    head = subject.ask_once(_head(subject, ref, region))
    match fault.reason:
        case "access-denied" if head.good or "kms" in fault.detail.lower():
            return _key(subject, ref, fault, head)
        case "access-denied":
            answer = Answer(_reads(subject, ref, region), fault=fault)
            lost = "no log file can be read"
            return statements.denied(subject, answer, "TC606", "error", lost)
        case "kms":
            text = f"the key of {ref} is of no use: {fault.detail}"
            return Finding("error", "TC607", text, "Enable the key, or let one be used that is.")
        case "archived":
            text = f"{ref} is archived already, and cannot be read before it is restored"
            fix = "Let the lifecycle rule wait for a week at least."
            return Finding("warning", "TC606", text, fix)
        case _:
            call = _reads(subject, ref, region)
            return trouble.told(subject, Answer(call, fault=fault), "TC606")


def _key(subject: Subject, ref: ObjectRef, fault: Fault, head: Answer) -> Finding:
    """The metadata may be read, the content not: what is missing is the use of the key."""
    partition = subject.source.queue.partition
    key = head.said.get("SSEKMSKeyId") or f"arn:{partition}:kms:REGION:ACCOUNT:key/KEY"
    text = (
        f"{subject.principal} may not use the key {key}, which encrypts {ref}: its metadata may "
        f"be read, its content not. AWS: {fault.detail}"
    )
    fix = statements.remedy(subject, ["kms:Decrypt"], key, fault.detail)
    return Finding("error", "TC607", text, f"{fix} The key's own policy has to allow it too.")


def _reads(subject: Subject, ref: ObjectRef, region: str) -> Call:
    """Return the call for a denial: on all objects, for a statement on one would not do."""
    arn = f"arn:{subject.source.queue.partition}:s3:::{ref.bucket}/*"
    return Call("s3", "get_object", region, "s3:GetObject", arn)


def _head(subject: Subject, ref: ObjectRef, region: str) -> Call:
    owner = subject.source.expected_bucket_owner
    given = {"Bucket": ref.bucket, "Key": ref.key}
    return replace(
        _reads(subject, ref, region),
        operation="head_object",
        given=given | ({"ExpectedBucketOwner": owner} if owner else {}),
    )


def _sound(ref: ObjectRef, data: bytes) -> Finding:
    try:
        count = records.open_log(data, records.Limits()).count
    except Fault as fault:
        text = f"{ref} is no sound log file: {fault.detail}"
        return Finding("warning", "TC608", text, f"docs/dispositions.md: {fault.reason}.")
    return Finding("ok", "TC608", f"it is sound; records in it: {count:,}")
