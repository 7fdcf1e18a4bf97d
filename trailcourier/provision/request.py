"""The options that a set-up is requested with, and the facts that AWS adds; pure.

``check_request`` returns everything that is wrong with the options, each problem with its option.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from trailcourier import keys
from trailcourier.aws import regions
from trailcourier.provision.merge_rules import TAG
from trailcourier.provision.visible_trails import VisibleTrail

Delivery = Literal["sns", "s3", "eventbridge"]
Reader = Literal["user", "instance-profile", "pod-identity", "cross-account", "none"]
PolicyForm = Literal["minimum", "recommended", "kms", "cross-account"]
Encrypted = Literal["logs", "queue", "topic"]

# CloudTrail takes no two dashes in a row, and S3 no capital letters
_NAME = re.compile(r"(?=.{3,28}$)[a-z](?:-?[a-z0-9])+")
_BUCKETS = {
    False: (keys.NEW_BUCKET, "3 to 63 of a-z, 0-9, . and -"),
    True: (keys.BUCKET, "the name of a bucket: A-Z, a-z, 0-9, ., - and _ only"),
}
_SOURCE = re.compile(r"[a-z0-9-]{1,40}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.'()/=-]{1,200}")
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_TOPIC = re.compile(r"arn:(aws[a-z-]*):sns:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_-]{1,256})", re.ASCII)
_KEY = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):(\d{12}):key/[A-Za-z0-9-]+", re.ASCII)
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/[A-Za-z0-9_+=,.@-]{1,64}", re.ASCII)
_BOUNDARY = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}|aws):policy/.+", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9_+=,.@-]+/)*")
_TAG = re.compile(r"(?!aws:)[\w .:/+@-]{1,128}=[\w .:/=+@-]{0,256}")
_PRINCIPAL = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):(root|user/.+|role/.+)", re.ASCII)


class SetupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one set-up. What is empty is created, asked of AWS, or not wanted.

    *name* begins the name of every resource. *data_events* are bucket names, or ``("all",)``.
    *topic* is the ARN of an existing topic. *kms_key* is an ARN or ``"new"``; it encrypts what
    *encrypt* lists. *principal* is who assumes the role of a cross-account reader. *bucket_role*
    is a role in the bucket's account that the collector assumes to read the bucket. *tag* holds
    texts ``KEY=VALUE``. The numbers of days are 0 where nothing is locked or deleted.
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
    lock_days: int = 0
    expire_days: int = 0
    trail: bool = True
    second_trail: bool = False
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
    policy: PolicyForm | Literal[""] = ""
    permissions_boundary: str = ""
    path: str = "/"
    tag: tuple[str, ...] = ()

    @property
    def needs_external_id(self) -> bool:
        """Whether a role is among them that is assumed with an external id."""
        return self.reader == "cross-account" or bool(self.bucket_role)


class AccountFacts(msgspec.Struct, frozen=True):
    """What a plan needs to know from AWS: the account, the caller, a bucket's region.

    *trails* are those that exist; *trails_unread* says why AWS did not show them. *plain_http* is
    set for an emulator of S3 that is reached without TLS.
    """

    account: str = ""
    caller: str = ""
    bucket_region: str = ""
    organization_id: str = ""
    trails: tuple[VisibleTrail, ...] = ()
    trails_unread: str = ""
    plain_http: bool = False


def list_unknown(request: SetupRequest, facts: AccountFacts) -> list[str]:
    """Return what a plan does not know yet, and which option or AWS call supplies it."""
    unknown = []
    if not (request.account or facts.account):
        unknown.append("the account: give --account, or credentials for sts:GetCallerIdentity")
    if request.existing_bucket and not (request.bucket_region or facts.bucket_region):
        unknown.append(
            "the bucket's region: give --bucket-region, or credentials for s3:HeadBucket"
        )
    if request.organization and not (request.organization_id or facts.organization_id):
        unknown.append(
            "the organisation: give --organization-id, or credentials for "
            "organizations:DescribeOrganization"
        )
    return unknown


def check_request(request: SetupRequest) -> list[str]:
    """Return what is wrong with the options, one line each."""
    problems = [
        *_check_spelling(request),
        *_check_combinations(request),
        *_check_partitions(request),
    ]
    return problems or check_regions(request)


def check_regions(request: SetupRequest, bucket_region: str = "") -> list[str]:
    """Return what is in another region than AWS requires, with the bucket in *bucket_region*.

    An existing bucket whose region is not known may be in any.
    """
    new = "" if request.existing_bucket else request.region
    bucket = bucket_region or request.bucket_region or new
    problems = []
    if request.delivery != "sns" and bucket not in {"", request.region}:
        problems.append(
            f"--delivery {request.delivery}: the queue has to be in the bucket's region, {bucket}: "
            f"give --region {bucket}"
        )
    if not _KEY.fullmatch(request.kms_key):
        return problems
    key = request.kms_key.split(":")[3]
    if "logs" in request.encrypt and request.trail and bucket not in {"", key}:
        problems.append(
            f"--kms-key: the key is in {key}; log files need one in the bucket's region, {bucket}"
        )
    if {"queue", "topic"} & set(request.encrypt) and key != request.region:
        problems.append(
            f"--kms-key: the key is in {key}; queue and topic need one in {request.region}"
        )
    return problems


def _check_spelling(request: SetupRequest) -> Iterator[str]:
    rules = (
        ("--name", request.name, _NAME, "3 to 28 of a-z, 0-9 and single -, a letter first"),
        ("--source", request.source, _SOURCE, "1 to 40 of a-z, 0-9 and -"),
        ("--bucket", request.bucket, *_BUCKETS[request.existing_bucket]),
        ("--prefix", request.prefix, _PREFIX, "up to 200 letters, digits and !_.'()/=-"),
        ("--account", request.account, _ACCOUNT, "12 digits"),
        ("--bucket-account", request.bucket_account, _ACCOUNT, "12 digits"),
        ("--organization-id", request.organization_id, _ORGANIZATION, "o- and 10 to 32 more"),
        ("--topic", request.topic, _TOPIC, "arn:aws:sns:REGION:ACCOUNT:NAME"),
        ("--principal", request.principal, _PRINCIPAL, "arn:aws:iam::ACCOUNT:role/NAME"),
        ("--bucket-role", request.bucket_role, _ROLE, "arn:aws:iam::ACCOUNT:role/NAME"),
        ("--path", request.path, _PATH, "/, or names between slashes: /security/"),
        (
            "--permissions-boundary",
            request.permissions_boundary,
            _BOUNDARY,
            "arn:aws:iam::ACCOUNT:policy/NAME",
        ),
        *(("--tag", each, _TAG, "KEY=VALUE, not beginning with aws:") for each in request.tag),
    )
    for option, value, rule, wanted in rules:
        if value and not rule.fullmatch(value):
            yield f"{option} {value}: expected {wanted}"
    if request.prefix.startswith("/") or request.prefix.endswith("/"):
        yield "--prefix: leave out the slash at its beginning and end; CloudTrail adds one after it"
    if request.kms_key not in {"", "new"} and not _KEY.fullmatch(request.kms_key):
        yield '--kms-key: expected "new" or the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID'


def _check_combinations(request: SetupRequest) -> Iterator[str]:
    if request.delivery != "sns":
        yield from _check_direct_delivery(request)
    if not request.trail:
        yield from _check_without_trail(request)
    rules = (
        (request.existing_bucket and not request.bucket,
         "--existing-bucket: name the bucket with --bucket"),
        ((request.lock_days or request.expire_days) and request.existing_bucket,
         "--lock-days, --expire-days: setup changes no settings of an existing bucket"),
        (0 < request.expire_days < request.lock_days,
         "--expire-days: S3 deletes nothing that is still locked: give at least --lock-days"),
        (any(each.partition("=")[0] == TAG for each in request.tag),
         f"--tag: {TAG} is the tag by which setup knows what it created"),
        (request.bucket_account and not request.existing_bucket,
         "--bucket-account: setup creates no bucket in another account: add --existing-bucket"),
        (request.bucket_role and request.bucket_role.split(":")[4:5] != [request.bucket_account],
         "--bucket-role: name its account, which has to be the bucket's, with --bucket-account"),
        (request.reader == "cross-account" and not request.principal,
         "--principal: name who may assume the role: arn:aws:iam::ACCOUNT:role/NAME"),
        (request.policy == "kms" and not request.kms_key,
         "--policy kms: name the key with --kms-key"),
        (request.policy == "cross-account" and not request.bucket_account,
         "--policy cross-account: name the bucket's account with --bucket-account"),
        ("all" in request.data_events and len(request.data_events) > 1,
         "--data-events: give all, or bucket names, not both"),
        (request.kms_key == "new" and request.bucket_region not in {"", request.region}
         and len(request.encrypt) > 1,
         "--encrypt: one new key serves one region: name only logs, or only queue and topic"),
    )  # fmt: skip
    yield from (text for is_wrong, text in rules if is_wrong)


def _check_direct_delivery(request: SetupRequest) -> Iterator[str]:
    if request.topic or request.raw:
        yield f"--topic and --raw need --delivery sns, not {request.delivery}"
    if request.bucket_account:
        yield (
            f"--delivery {request.delivery}: is configured on the bucket, which is in another "
            "account: use that account's topic (--topic ARN)"
        )


def _check_without_trail(request: SetupRequest) -> Iterator[str]:
    if not request.existing_bucket:
        yield "--no-trail: name the bucket of the log files: --existing-bucket --bucket NAME"
    if request.delivery == "sns" and not request.topic:
        yield (
            "--no-trail: nothing would publish to a new topic: name the trail's topic with "
            "--topic, or use --delivery s3 or eventbridge"
        )
    if request.organization or request.data_events or request.second_trail:
        yield (
            "--no-trail: --organization, --data-events and --second-trail apply only to a trail "
            "that setup creates: leave them out"
        )


def _check_partitions(request: SetupRequest) -> Iterator[str]:
    partition = regions.partition_of(request.region)
    arns = (
        ("--topic", _TOPIC.fullmatch(request.topic)),
        ("--kms-key", _KEY.fullmatch(request.kms_key)),
        ("--principal", _PRINCIPAL.fullmatch(request.principal)),
        ("--bucket-role", _ROLE.fullmatch(request.bucket_role)),
        ("--permissions-boundary", _BOUNDARY.fullmatch(request.permissions_boundary)),
    )
    for option, match in arns:
        if match and match[1] != partition:
            yield f"{option}: is in partition {match[1]}, but {request.region} is in {partition}"
    if request.bucket_region and regions.partition_of(request.bucket_region) != partition:
        yield f"--bucket-region: is in another partition than {request.region} (--region)"
