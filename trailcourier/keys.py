"""Classifies an object by its key, before it is read.

The grammar follows "Finding your CloudTrail log files" of the CloudTrail User Guide, and the
documentation of the services that share such a bucket.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from trailcourier.text import printable

Unknown = Literal["read", "skip", "refuse"]

# "General purpose bucket naming rules" of the S3 User Guide.  Until March 2018 us-east-1 also
# allowed names of up to 255 characters, with capitals and underscores; such buckets still exist.
_INVALID_NAME = r"(?!.*\.\.)(?!(?:\d+\.){3}\d+$)"
NEW_BUCKET = re.compile(_INVALID_NAME + r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
BUCKET = re.compile(_INVALID_NAME + r"[A-Za-z0-9_][A-Za-z0-9._-]{1,253}[A-Za-z0-9_]", re.ASCII)

_ACCOUNT_FOLDER = r"(?:.*/)?AWSLogs/(?:o-[a-z0-9]{10,32}/)?(?:aws-account-id=)?\d{12}/"
# The prefix is the operator's choice and may contain such text itself; the last match counts.
_LOG = re.compile(
    r"""(?P<prefix>.*/)?AWSLogs/(?:(?P<org>o-[a-z0-9]{10,32})/)?
        (?P<account>\d{12})/
        (?P<kind>CloudTrail(?:-(?:Digest|Insight|NetworkActivity|Aggregated))?)/
        (?P<region>[a-z][a-z0-9-]{1,31})/
        (?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/
        (?P<name>[^/]+\.json(?:\.gz)?)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_IN_ACCOUNT_FOLDER = re.compile(
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
# The folders below AWSLogs/ACCOUNT/ that services other than CloudTrail write, each with the page
# of AWS's documentation that shows the key
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
FOLDER_LENGTH = 40  # characters of a folder's name in a label; it is text from outside


class KeyParts(msgspec.Struct, frozen=True):
    """The parts of a CloudTrail key; *date* is YYYY-MM-DD, the day of delivery in UTC.

    Every field but *prefix* and *name* is safe as a part of a path.
    """

    kind: str
    account: str
    region: str
    date: str
    name: str
    org: str | None = None
    prefix: str = ""


class KeyDecision(NamedTuple):
    """What to do with an object; *reason* is empty or a key of ``reasons.REASONS``."""

    status: Literal["read", "skipped", "refused"]
    reason: str = ""


_READ = KeyDecision("read")
_UNKNOWN: dict[Unknown, KeyDecision] = {
    "read": _READ,
    "skip": KeyDecision("skipped", "unknown-key-skipped"),
    "refuse": KeyDecision("refused", "unknown-key"),
}


def parse(key: str) -> KeyParts | None:
    """Return the parts of a CloudTrail key, of a digest too; None for any other key."""
    found = _LOG.fullmatch(key)
    if not found:
        return None
    return KeyParts(
        kind=found["kind"],
        account=found["account"],
        region=found["region"],
        date=f"{found['year']}-{found['month']}-{found['day']}",
        name=found["name"],
        org=found["org"],
        prefix=found["prefix"] or "",
    )


def account_of(key: str) -> str:
    """Return the account whose folder contains *key*; empty if no account's does."""
    found = _IN_ACCOUNT_FOLDER.match(key)
    return found["account"] if found else ""


def classify(
    key: str, *, accept_any_form: bool, unknown: Unknown, globs: Sequence[str]
) -> KeyDecision:
    """Decide whether the object is read, skipped, or refused as not CloudTrail's.

    *accept_any_form*: CloudTrail's own notification announced it, so that it is read even if the
    key has an unknown form.  *globs* are the operator's, for copies under other names: they are
    case-sensitive, ``*`` also matches ``/``, and they never make a log of a digest or of another
    service's file.  *unknown* decides for every other key.
    """
    found = _LOG.fullmatch(key)
    if found and found["kind"] != "CloudTrail-Digest":
        return _READ
    if key.endswith("/"):
        return KeyDecision("skipped", "marker")
    if found or _DIGEST.fullmatch(key):
        return KeyDecision("skipped", "digest")
    if _belongs_to_other_service(key):
        return KeyDecision("skipped", "other-service")
    if accept_any_form or any(fnmatchcase(key, glob) for glob in globs):
        return _READ
    return _UNKNOWN[unknown]


def folder_label(key: str) -> str:
    """Return a short, escaped label for the folder of a key of unknown form, for people.

    ``AWSLogs/*/NAME`` in an account's folder, where NAME is the service that wrote it; ``NAME/*``
    elsewhere; ``*`` for a key without a folder.
    """
    found = _BELOW_ACCOUNT.fullmatch(key)
    name = found["folder"] if found else key.partition("/")[0] if "/" in key else ""
    label = printable(name[:FOLDER_LENGTH])[:FOLDER_LENGTH]
    if found:
        return f"AWSLogs/*/{label}"
    return f"{label}/*" if "/" in key else "*"


def is_allowed(bucket: str, patterns: Sequence[str]) -> bool:
    """Return whether the allow-list *patterns* (globs) allows *bucket*; an empty one allows all."""
    return not patterns or any(fnmatchcase(bucket, pattern) for pattern in patterns)


def _belongs_to_other_service(key: str) -> bool:
    found = _OTHER_SERVICE.fullmatch(key)
    return found is not None and (found["folder"] is None or found["folder"] in OTHER_SERVICES)
