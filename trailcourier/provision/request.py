"""What is asked for: the choices of whoever sets the AWS side up, and what was found out for them.

Pure.  ``problems`` says everything that is wrong with the choices, each with its option.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from trailcourier import keys, regions

Delivery = Literal["sns", "s3", "eventbridge"]
Reader = Literal["user", "instance-profile", "pod-identity", "cross-account", "none"]
Form = Literal["minimum", "recommended", "kms", "cross-account"]
Encrypted = Literal["logs", "queue", "topic"]

_NAME = re.compile(r"[a-z][a-z0-9-]{1,26}[a-z0-9]")
_BUCKETS = {
    False: (keys.NEW_BUCKET, "3 to 63 of a-z, 0-9, . and -"),
    True: (keys.BUCKET, "a bucket's name, which has none but A-Z, a-z, 0-9, ., - and _"),
}
_SOURCE = re.compile(r"[a-z0-9-]{1,40}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.'()/=-]{1,200}")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_TOPIC = re.compile(r"arn:(aws[a-z-]*):sns:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_-]{1,256})", re.ASCII)
_KEY = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):(\d{12}):key/[A-Za-z0-9-]+", re.ASCII)
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/[A-Za-z0-9_+=,.@-]{1,64}", re.ASCII)
_PRINCIPAL = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):(root|user/.+|role/.+)", re.ASCII)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The choices; what is empty is made, asked for, or not wanted.

    *name* begins the name of everything.  *data_events* are buckets, or ``("all",)``.  *topic* is
    the ARN of one that is there.  *kms_key* is an ARN or ``"new"``, for what *encrypt* lists.
    *principal* is who assumes the role of a cross-account reader, *bucket_role* a role of the
    bucket's account that the collector takes to read it.
    """

    name: str = "trailcourier"
    source: str = "prod"
    region: str = "us-east-1"
    account: str = ""
    bucket: str = ""
    bucket_region: str = ""
    bucket_account: str = ""
    bucket_role: str = ""
    existing_bucket: bool = False
    prefix: str = ""
    trail: bool = True
    organization: bool = False
    organization_id: str = ""
    data_events: tuple[str, ...] = ()
    delivery: Delivery = "sns"
    raw: bool = False
    topic: str = ""
    kms_key: str = ""
    encrypt: tuple[Encrypted, ...] = ("logs",)
    reader: Reader = "user"
    principal: str = ""
    policy: Form | Literal[""] = ""

    @property
    def needs_external_id(self) -> bool:
        """Whether a role is among them that is taken with an external id."""
        return self.reader == "cross-account" or bool(self.bucket_role)


class Found(msgspec.Struct, frozen=True):
    """What AWS said that a plan needs: whose account this is, where a bucket lies."""

    account: str = ""
    caller: str = ""
    bucket_region: str = ""
    organization_id: str = ""


def unknown(request: Request, found: Found) -> list[str]:
    """Say what a plan cannot know yet, and how it is found out."""
    said = []
    if not (request.account or found.account):
        said.append("the account: --account, or else sts:GetCallerIdentity says it")
    if request.existing_bucket and not (request.bucket_region or found.bucket_region):
        said.append("the bucket's region: --bucket-region, or else s3:HeadBucket says it")
    if request.organization and not (request.organization_id or found.organization_id):
        said.append("the organisation: --organization-id, or else AWS Organizations says it")
    return said


def problems(request: Request) -> list[str]:
    """Say what is wrong, one line each."""
    said = [*_spelling(request), *_sense(request), *_partitions(request)]
    return said or misplaced(request)


def misplaced(request: Request, bucket_region: str = "") -> list[str]:
    """Say what lies in another region than AWS wants, with the bucket in *bucket_region*.

    A bucket that is there and whose region nobody said may be anywhere.
    """
    new = "" if request.existing_bucket else request.region
    bucket = bucket_region or request.bucket_region or new
    said = []
    if request.delivery != "sns" and bucket not in {"", request.region}:
        said.append(
            f"--delivery {request.delivery}: the queue has to be in the bucket's region, {bucket}"
        )
    if not _KEY.fullmatch(request.kms_key):
        return said
    key = request.kms_key.split(":")[3]
    if "logs" in request.encrypt and request.trail and bucket not in {"", key}:
        said.append(f"--kms-key: is in {key}, and log files want one of the bucket's, {bucket}")
    if {"queue", "topic"} & set(request.encrypt) and key != request.region:
        said.append(f"--kms-key: is in {key}, and queue and topic want one of {request.region}")
    return said


def _spelling(request: Request) -> Iterator[str]:
    rules = (
        ("--name", request.name, _NAME, "3 to 28 of a-z, 0-9 and -, a letter first"),
        ("--source", request.source, _SOURCE, "1 to 40 of a-z, 0-9 and -"),
        ("--bucket", request.bucket, *_BUCKETS[request.existing_bucket]),
        ("--prefix", request.prefix, _PREFIX, "up to 200 letters, digits and !_.'()/=-"),
        ("--account", request.account, _ACCOUNT, "12 digits"),
        ("--bucket-account", request.bucket_account, _ACCOUNT, "12 digits"),
        ("--organization-id", request.organization_id, _ORGANIZATION, "o- and 10 to 32 more"),
        ("--topic", request.topic, _TOPIC, "arn:aws:sns:REGION:ACCOUNT:NAME"),
        ("--principal", request.principal, _PRINCIPAL, "arn:aws:iam::ACCOUNT:role/NAME"),
        ("--bucket-role", request.bucket_role, _ROLE, "arn:aws:iam::ACCOUNT:role/NAME"),
    )
    for option, value, rule, wanted in rules:
        if value and not rule.fullmatch(value):
            yield f"{option} {value}: it takes {wanted}"
    if request.prefix.startswith("/") or request.prefix.endswith("/"):
        yield "--prefix: neither begins nor ends with a slash; CloudTrail puts one after it"
    if request.kms_key not in {"", "new"} and not _KEY.fullmatch(request.kms_key):
        yield '--kms-key: is neither "new" nor the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID'


def _sense(request: Request) -> Iterator[str]:
    if request.delivery != "sns":
        yield from _direct(request)
    if not request.trail:
        yield from _without_a_trail(request)
    told = (
        (request.existing_bucket and not request.bucket,
         "--existing-bucket: needs --bucket, which says its name"),
        (request.bucket_account and not request.existing_bucket,
         "--bucket-account: a bucket of another account is there already: --existing-bucket"),
        (request.bucket_role and request.bucket_role.split(":")[4:5] != [request.bucket_account],
         "--bucket-role: is a role of the bucket's own account: say which with --bucket-account"),
        (request.reader == "cross-account" and not request.principal,
         "--principal: say who may assume the role: arn:aws:iam::ACCOUNT:role/NAME"),
        (request.policy == "kms" and not request.kms_key,
         "--policy kms: say which key with --kms-key"),
        (request.policy == "cross-account" and not request.bucket_account,
         "--policy cross-account: say whose bucket it is with --bucket-account"),
        ("all" in request.data_events and len(request.data_events) > 1,
         "--data-events: all, or buckets by name, not both"),
        (request.kms_key == "new" and request.bucket_region not in {"", request.region}
         and len(request.encrypt) > 1,
         "--encrypt: one new key cannot serve the bucket's region and the queue's"),
    )  # fmt: skip
    yield from (words for wrong, words in told if wrong)


def _direct(request: Request) -> Iterator[str]:
    if request.topic or request.raw:
        yield f"--topic and --raw go with --delivery sns, not with {request.delivery}"
    if request.bucket_account:
        yield (
            f"--delivery {request.delivery}: is configured on the bucket, which is another "
            "account's: use its topic (--topic ARN)"
        )


def _without_a_trail(request: Request) -> Iterator[str]:
    if not request.existing_bucket:
        yield "--no-trail: the log files lie somewhere: --existing-bucket --bucket NAME"
    if request.delivery == "sns" and not request.topic:
        yield (
            "--no-trail: nobody would publish to a new topic; name the trail's own with --topic, "
            "or take --delivery s3 or eventbridge"
        )
    if request.organization or request.data_events or request.prefix:
        yield "--organization, --data-events and --prefix are about a trail of setup's own"


def _partitions(request: Request) -> Iterator[str]:
    here = regions.partition(request.region)
    named = (
        ("--topic", _TOPIC.fullmatch(request.topic)),
        ("--kms-key", _KEY.fullmatch(request.kms_key)),
        ("--principal", _PRINCIPAL.fullmatch(request.principal)),
        ("--bucket-role", _ROLE.fullmatch(request.bucket_role)),
    )
    for option, found in named:
        if found and found[1] != here:
            yield f"{option}: is in partition {found[1]}, and {request.region} in {here}"
    if request.bucket_region and regions.partition(request.bucket_region) != here:
        yield f"--bucket-region: is in another partition than {request.region}"
