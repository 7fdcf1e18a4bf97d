"""AWS region codes, their older names and partitions, and the parts of a queue URL.

Pure functions.  Partitions and host suffixes come from botocore's data.  The older region names
come from S3's first client libraries, and forms for event sources still show them.
"""

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import msgspec

from trailcourier.aws.partitions import partitions
from trailcourier.text import did_you_mean

LEGACY_NAMES = {
    "US_STANDARD": "us-east-1",
    "US_EAST_OHIO": "us-east-2",
    "US_WEST_N_CALIFORNIA": "us-west-1",
    "US_WEST_OREGON": "us-west-2",
    "CA_CENTRAL": "ca-central-1",
    "EU": "eu-west-1",  # GetBucketLocation still returns it for old buckets
    "EU_IRELAND": "eu-west-1",
    "EU_LONDON": "eu-west-2",
    "EU_PARIS": "eu-west-3",
    "EU_FRANKFURT": "eu-central-1",
    "AP_MUMBAI": "ap-south-1",
    "AP_SEOUL": "ap-northeast-2",
    "AP_SINGAPORE": "ap-southeast-1",
    "AP_SYDNEY": "ap-southeast-2",
    "AP_TOKYO": "ap-northeast-1",
    "SA_SAO_PAULO": "sa-east-1",
}

_SUFFIXES = {each.name: each.suffixes for each in partitions()}
_CODE = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_SUFFIX = "|".join(re.escape(each) for each in sorted(sum(_SUFFIXES.values(), ()), reverse=True))
_AWS_HOST = re.compile(
    rf"""(?P<vpce>vpce-[\w-]+\.)?
         (?: sqs(?P<fips>-fips)? \. (?P<region>[\w-]+) (?(vpce)\.vpce)
           | (?: (?P<older>[\w-]+) \. )? queue )
         \. (?P<suffix>{_SUFFIX})""",
    re.VERBOSE | re.ASCII,
)
_EMULATED_REGION = re.compile(r"(?:sqs\.(?P<region>[\w-]+)|(?P<older>[\w-]+)\.queue)\..+", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_PRINTABLE = re.compile(r"[!-~]+")
_EXAMPLE = "https://sqs.us-east-1.amazonaws.com/111122223333/NAME"


class QueueAddress(msgspec.Struct, frozen=True):
    """The parts of a queue URL.

    *endpoint* is the ``scheme://host`` for requests if it is not AWS's own: a VPC endpoint, or a
    server other than AWS.  *account* may be empty only for such a server.  *fips* and *dualstack*
    say that the URL's host is of that kind.
    """

    url: str
    region: str
    partition: str
    account: str
    name: str
    endpoint: str | None = None
    fips: bool = False
    dualstack: bool = False

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{self.name}"

    @property
    def identity(self) -> str:
        """An identifier that is the same for every URL of one queue."""
        on_aws = self.endpoint is None or ".vpce." in self.endpoint
        return self.arn if on_aws else f"{self.endpoint} {self.account} {self.name}"


def parse_code(text: str) -> str:
    """Return the region code for *text*: a code, or an older name such as ``US_STANDARD``.

    Raises ValueError if *text* has the form of neither.  Does not check that the region exists.
    """
    found = LEGACY_NAMES.get(text.strip().upper()) or text.strip().lower().replace("_", "-")
    if not _CODE.fullmatch(found):
        hint = did_you_mean(text.strip().upper(), LEGACY_NAMES)
        raise ValueError(f"is not an AWS region code (examples: us-east-1, US_STANDARD){hint}")
    return found


def partition_of(region: str) -> str:
    """Return the partition of a region code."""
    return next((each.name for each in partitions() if each.contains(region)), "aws")


def host_suffix(partition: str) -> str:
    """Return the host suffix of a partition."""
    return _SUFFIXES[partition][0]


@lru_cache
def parse_queue_url(url: str, region: str | None = None) -> QueueAddress:
    """Parse a queue URL of any form; *region* is used if the URL does not contain one.

    Raises ValueError if it is not the URL of a standard queue, or names a region other than
    *region*.  The message does not quote the URL, which may hold a password.
    """
    url = url.strip().rstrip("/")
    parts = _split(url)
    host = (parts.hostname or "").rstrip(".")
    aws = _AWS_HOST.fullmatch(host)
    account, name = _account_and_name(parts.path, strict=aws is not None)
    named = _region_of_host(aws, host)
    if named and region and named != parse_code(region):
        raise ValueError(f"is in {named}, but queue_region is {parse_code(region)}: remove it")
    if not named and not region:
        raise ValueError(f"does not name its region ({host} is not an AWS host): set queue_region")
    found = named or parse_code(region or "")
    if aws and aws["suffix"] not in _SUFFIXES[partition_of(found)]:
        raise ValueError(f"{found} has no host under {aws['suffix']}: copy the URL from SQS again")
    return QueueAddress(
        url=url,
        region=found,
        partition=partition_of(found),
        account=account,
        name=name,
        endpoint=None if aws and not aws["vpce"] else f"{parts.scheme}://{parts.netloc}",
        fips=bool(aws and aws["fips"]),
        dualstack=bool(aws and aws["suffix"] == _SUFFIXES[partition_of(found)][1]),
    )


def _split(url: str) -> SplitResult:
    if url.startswith("arn:"):
        raise ValueError(f"is an ARN; set the queue's URL, for example {_EXAMPLE}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message quotes the URL, which may hold a password
        raise ValueError(f"is not a URL (example: {_EXAMPLE})") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(f"is not the URL of a queue (example: {_EXAMPLE})")
    if not _PRINTABLE.fullmatch(url):
        raise ValueError("contains a space or a character that is not allowed in a URL")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            "contains a user, query or fragment; a queue URL ends with the queue's name"
        )
    return parts


def _account_and_name(path: str, *, strict: bool) -> tuple[str, str]:
    """Split ``/account/name``; unless *strict* (AWS), other segments may stand before *name*."""
    *before, name = path.strip("/").split("/")
    if name.endswith(".fifo"):
        raise ValueError(
            "is a FIFO queue; CloudTrail and S3 notify standard queues only: set the URL of one"
        )
    if not _NAME.fullmatch(name):
        raise ValueError(f"does not end with a queue's name (example: {_EXAMPLE})")
    account = before[-1] if before and _ACCOUNT.fullmatch(before[-1]) else ""
    if strict and (not account or len(before) != 1):
        raise ValueError(f"does not name an account and a queue (example: {_EXAMPLE})")
    return account, name


def _region_of_host(aws: re.Match[str] | None, host: str) -> str | None:
    """Return the region in a host name; None if it contains none."""
    if aws:
        found = aws["region"] or aws["older"] or "us-east-1"
        if not _CODE.fullmatch(found):
            raise ValueError(f"names the region {found}, which is not an AWS region code")
        return found
    emulated = _EMULATED_REGION.fullmatch(host)
    found = emulated["region"] or emulated["older"] if emulated else ""
    return found if found and _CODE.fullmatch(found) else None
