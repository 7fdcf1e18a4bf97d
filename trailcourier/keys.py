"""What an object's key says about it before it is read.

Grammar: "Finding your CloudTrail log files" of the CloudTrail User Guide, and what the services
that share such a bucket say of theirs.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from trailcourier.printable import printable

Unknown = Literal["read", "skip", "refuse"]

# "General purpose bucket naming rules" of the S3 User Guide.  Until March 2018 us-east-1 also gave
# names of up to 255 characters, with capitals and underscores; such buckets are still there.
_NO_NAME = r"(?!.*\.\.)(?!(?:\d+\.){3}\d+$)"
NEW_BUCKET = re.compile(_NO_NAME + r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
BUCKET = re.compile(_NO_NAME + r"[A-Za-z0-9_][A-Za-z0-9._-]{1,253}[A-Za-z0-9_]", re.ASCII)

_ACCOUNT_FOLDER = r"(?:.*/)?AWSLogs/(?:o-[a-z0-9]{10,32}/)?(?:aws-account-id=)?\d{12}/"
# The prefix is the operator's and may hold such text itself; what stands last counts.
_LOG = re.compile(
    r"""(?P<prefix>.*/)?AWSLogs/(?:(?P<org>o-[a-z0-9]{10,32})/)?
        (?P<account>\d{12})/
        (?P<kind>CloudTrail(?:-(?:Digest|Insight|NetworkActivity|Aggregated))?)/
        (?P<region>[a-z][a-z0-9-]{1,31})/
        (?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/
        (?P<name>[^/]+\.json(?:\.gz)?)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_OF_ACCOUNT = re.compile(
    r"(?:.*/)?AWSLogs/(?:o-[a-z0-9]{10,32}/)?(?:aws-account-id=)?(?P<account>\d{12})/",
    re.ASCII | re.DOTALL,
)
_DIGEST = re.compile(
    rf"{_ACCOUNT_FOLDER}CloudTrail-Digest/.*"
    r"|(?:.*/)?\d{12}_CloudTrail-Digest_[^/]+\.json\.gz",  # a copy under another prefix
    re.ASCII | re.DOTALL,
)
_BELOW_ACCOUNT = re.compile(
    _ACCOUNT_FOLDER + r"(?:aws-service=)?(?P<folder>[^/]+)/.*", re.ASCII | re.DOTALL
)
_OTHER_SERVICE = re.compile(
    _ACCOUNT_FOLDER + r"(?:(?:aws-service=)?(?P<folder>[\w-]+)/.*|ELBAccessLogTestFile)",
    re.ASCII | re.DOTALL,
)
# Who writes below AWSLogs/ACCOUNT/, by the page of AWS's documentation that shows the key
OTHER_SERVICES: Mapping[str, str] = {
    "AmazonQBusinessLogs": "Monitoring Amazon Q Business user conversations, its User Guide",
    "BedrockModelInvocationLogs": "Monitor model invocation, Amazon Bedrock User Guide",
    "CloudFront": "Standard logging (v2), Amazon CloudFront Developer Guide",
    "CloudTrail-Lake": "Find your CloudTrail Lake saved query results, CloudTrail User Guide",
    "Config": "Working with the delivery channel, AWS Config Developer Guide",
    "GuardDuty": "Exporting findings to S3, Amazon GuardDuty User Guide",
    "KafkaBrokerLogs": "Broker logs, Amazon MSK Developer Guide",
    "QDeveloperLogs": "Logging users' prompts, Amazon Q Developer User Guide",
    "RedshiftLogs": "Database audit logging, Amazon Redshift Management Guide",
    "SSM": "Resource data sync for Inventory, AWS Systems Manager User Guide",
    "VpcLattice": "Access logs, Amazon VPC Lattice User Guide",
    "WAFLogs": "Sending logs to an S3 bucket, AWS WAF Developer Guide",
    "elasticloadbalancing": "Access logs, User Guides of Elastic Load Balancing",
    "globalaccelerator": "Flow logs, AWS Global Accelerator Developer Guide",
    "network-firewall": "Sending logs to Amazon S3, AWS Network Firewall Developer Guide",
    "redshift": "Database audit logging, Amazon Redshift Management Guide",
    "verifiedaccess": "Verified Access logs, AWS Verified Access User Guide",
    "vpcdnsquerylogs": "Resolver query logging, Amazon Route 53 Developer Guide",
    "vpcflowlogs": "Flow log files, Amazon VPC User Guide; those of transit gateways too",
}
FOLDER_SHOWN = 40  # characters of a folder's name, which is text from outside


class Place(msgspec.Struct, frozen=True):
    """Where CloudTrail put a file; *date* is YYYY-MM-DD, the day of delivery in UTC.

    Every field but *prefix* and *name* is fit to be part of a path.
    """

    kind: str
    account: str
    region: str
    date: str
    name: str
    org: str | None = None
    prefix: str = ""


class Judgement(NamedTuple):
    """What to do with an object; *reason* is empty or a key of ``dispositions.REASONS``."""

    status: Literal["read", "skipped", "refused"]
    reason: str = ""


_READ = Judgement("read")
_UNKNOWN: dict[Unknown, Judgement] = {
    "read": _READ,
    "skip": Judgement("skipped", "unknown-key-skipped"),
    "refuse": Judgement("refused", "unknown-key"),
}


def place(key: str) -> Place | None:
    """Return what a key of CloudTrail's shape says, digests included; None for any other key."""
    found = _LOG.fullmatch(key)
    if not found:
        return None
    return Place(
        kind=found["kind"],
        account=found["account"],
        region=found["region"],
        date=f"{found['year']}-{found['month']}-{found['day']}",
        name=found["name"],
        org=found["org"],
        prefix=found["prefix"] or "",
    )


def account(key: str) -> str:
    """The account whose folder *key* lies in; empty where it lies in none."""
    found = _OF_ACCOUNT.match(key)
    return found["account"] if found else ""


def judge(key: str, *, own_notice: bool, unknown: Unknown, globs: Sequence[str]) -> Judgement:
    """Say whether the object is to be read, is nothing to carry, or is none of CloudTrail's.

    *own_notice* is true for CloudTrail's own: what it announces is read even where the key's shape
    is new.  *globs* are the operator's, case-sensitive, for copies under other names; ``*`` also
    matches ``/``.  They never turn a digest or another service's file into a log.
    """
    found = _LOG.fullmatch(key)
    if found and found["kind"] != "CloudTrail-Digest":
        return _READ
    if key.endswith("/"):
        return Judgement("skipped", "marker")
    if found or _DIGEST.fullmatch(key):
        return Judgement("skipped", "digest")
    if _of_another_service(key):
        return Judgement("skipped", "other-service")
    if own_notice or any(fnmatchcase(key, glob) for glob in globs):
        return _READ
    return _UNKNOWN[unknown]


def folder(key: str) -> str:
    """Return where a key of unknown shape lies, for a person: short, and escaped.

    ``AWSLogs/*/NAME`` below an account, where NAME is what wrote it; ``NAME/*`` elsewhere; ``*``
    for a key without a folder.
    """
    found = _BELOW_ACCOUNT.fullmatch(key)
    name = found["folder"] if found else key.partition("/")[0] if "/" in key else ""
    shown = printable(name[:FOLDER_SHOWN])[:FOLDER_SHOWN]
    if found:
        return f"AWSLogs/*/{shown}"
    return f"{shown}/*" if "/" in key else "*"


def allowed(bucket: str, patterns: Sequence[str]) -> bool:
    """Whether *bucket* is on the allow-list of globs; an empty list allows every bucket."""
    return not patterns or any(fnmatchcase(bucket, pattern) for pattern in patterns)


def _of_another_service(key: str) -> bool:
    found = _OTHER_SERVICE.fullmatch(key)
    return found is not None and (found["folder"] is None or found["folder"] in OTHER_SERVICES)
