"""AWS regions by code and by older names, their partitions, and what a queue URL says.

Pure: nothing is asked.  Hosts are those of botocore's endpoint rules; the older region names are
those of S3's first client libraries, which event-source forms still show.
"""

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import msgspec

from trailcourier.printable import meant

LEGACY_NAMES = {
    "US_STANDARD": "us-east-1",
    "US_EAST_OHIO": "us-east-2",
    "US_WEST_N_CALIFORNIA": "us-west-1",
    "US_WEST_OREGON": "us-west-2",
    "CA_CENTRAL": "ca-central-1",
    "EU": "eu-west-1",  # GetBucketLocation still answers so for buckets made long ago
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

_PARTITIONS = {  # how the codes of a partition begin; what begins with none of these is "aws"
    "us-gov-": "aws-us-gov",
    "cn-": "aws-cn",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}
_SUFFIXES = {  # partition -> its host suffix, and the one of its dual-stack hosts
    "aws": ("amazonaws.com", "api.aws"),
    "aws-us-gov": ("amazonaws.com", "api.aws"),
    "aws-cn": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "aws-eusc": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "aws-iso": ("c2s.ic.gov", "api.aws.ic.gov"),
    "aws-iso-b": ("sc2s.sgov.gov", "api.aws.scloud"),
    "aws-iso-e": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    "aws-iso-f": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
}
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
    """What a queue URL says.

    *endpoint* is the ``scheme://host`` to send requests to where AWS's own would be wrong: a VPC
    endpoint, or a server that is not AWS.  *account* is empty only for the latter.  *fips* and
    *dualstack* say that the URL's host is of that kind.
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
        """The same for every URL of one queue."""
        ours = self.endpoint is None or ".vpce." in self.endpoint
        return self.arn if ours else f"{self.endpoint} {self.account} {self.name}"


def code(text: str) -> str:
    """Return the region code *text* means: a code, or a name such as ``US_STANDARD``.

    Raises ValueError if it has the shape of neither; whether a code exists is not asked.
    """
    found = LEGACY_NAMES.get(text.strip().upper()) or text.strip().lower().replace("_", "-")
    if not _CODE.fullmatch(found):
        hint = meant(text.strip().upper(), LEGACY_NAMES)
        raise ValueError(f"is no region: us-east-1 is one, and so is US_STANDARD{hint}")
    return found


def partition(region: str) -> str:
    """Return the partition a region code belongs to."""
    return next((part for start, part in _PARTITIONS.items() if region.startswith(start)), "aws")


def suffix(partition: str) -> str:
    """Return what the hosts of a partition end with."""
    return _SUFFIXES[partition][0]


@lru_cache
def queue(url: str, region: str | None = None) -> QueueAddress:
    """Read a queue URL of any form; *region* is used where the URL does not say it.

    Raises ValueError, without the URL, if it is no standard queue's or says another region.
    """
    url = url.strip().rstrip("/")
    parts = _split(url)
    host = (parts.hostname or "").rstrip(".")
    aws = _AWS_HOST.fullmatch(host)
    account, name = _account_and_name(parts.path, strict=aws is not None)
    said = _said(aws, host)
    if said and region and said != code(region):
        raise ValueError(f"is in {said}, but queue_region says {code(region)}; leave that out")
    if not said and not region:
        raise ValueError(f"does not say its region ({host} is no host of AWS): set queue_region")
    where = said or code(region or "")
    if aws and aws["suffix"] not in _SUFFIXES[partition(where)]:
        raise ValueError(f"{where} has no host under {aws['suffix']}: copy the URL from SQS again")
    return QueueAddress(
        url=url,
        region=where,
        partition=partition(where),
        account=account,
        name=name,
        endpoint=None if aws and not aws["vpce"] else f"{parts.scheme}://{parts.netloc}",
        fips=bool(aws and aws["fips"]),
        dualstack=bool(aws and aws["suffix"] == _SUFFIXES[partition(where)][1]),
    )


def _split(url: str) -> SplitResult:
    if url.startswith("arn:"):
        raise ValueError(f"is an ARN; the queue's URL is wanted, such as {_EXAMPLE}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # it quotes the URL, which may hold a password
        raise ValueError(f"is no URL; {_EXAMPLE} is one") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(f"is no URL of a queue; {_EXAMPLE} is one")
    if not _PRINTABLE.fullmatch(url):
        raise ValueError("holds a space or a character that no URL has")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a queue's URL ends with its name and holds no user, query or fragment")
    return parts


def _account_and_name(path: str, *, strict: bool) -> tuple[str, str]:
    """Return both from ``/account/name``; other servers than AWS put other things before *name*."""
    *before, name = path.strip("/").split("/")
    if name.endswith(".fifo"):
        raise ValueError(
            "is a FIFO queue: CloudTrail's topic and S3 announce to standard queues only"
        )
    if not _NAME.fullmatch(name):
        raise ValueError(f"does not end with a queue's name; {_EXAMPLE} does")
    account = before[-1] if before and _ACCOUNT.fullmatch(before[-1]) else ""
    if strict and (not account or len(before) != 1):
        raise ValueError(f"does not name account and queue; {_EXAMPLE} does")
    return account, name


def _said(aws: re.Match[str] | None, host: str) -> str | None:
    """Return the region a host names, if it does."""
    if aws:
        found = aws["region"] or aws["older"] or "us-east-1"
        if not _CODE.fullmatch(found):
            raise ValueError(f"names the region {found}, which is none")
        return found
    emulated = _EMULATED_REGION.fullmatch(host)
    found = emulated["region"] or emulated["older"] if emulated else ""
    return found if found and _CODE.fullmatch(found) else None
