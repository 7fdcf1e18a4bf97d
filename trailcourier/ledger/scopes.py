"""The scope of a fault: which breakers count it, from the narrowest cause to the widest."""

import re

import msgspec

from trailcourier import keys
from trailcourier.breaker_name import BreakerName, bucket_breaker, kms_breaker, sink_breaker
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.reasons import REASONS

_KMS_KEY = re.compile(r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+", re.ASCII)
_OF_ONE_ACCOUNT = frozenset({"access-denied", "kms", "s3-error"})
AUTHENTICATED = frozenset(
    {"access-denied", "archived", "changed", "delete-marker", "kms", "no-such-key"}
)
"""Reasons from answers that S3 gives only to credentials it has accepted."""


class Failing(msgspec.Struct, frozen=True, omit_defaults=True):
    """One breaker that counts a failure.

    *here* says that the failure may be this host's own.  With a *group*, the breaker opens only
    once it has counted failures of two groups: a single group has a narrower breaker of its own.
    """

    name: str
    here: bool = False
    group: str = ""


def bucket_scope(ref: ObjectRef) -> str:
    """Return the bucket of an object with the account of its file: ``bucket/123456789012``."""
    account = keys.account_of(ref.key)
    return f"{ref.bucket}/{account}" if account else ref.bucket


def breakers_of_fault(source: str, fault: Fault, ref: ObjectRef) -> tuple[Failing, ...]:
    """Return the breakers that count *fault* of the object *ref*, the narrowest first."""
    reason = REASONS[fault.reason]
    match reason.breaker:
        case "queue" | "credentials" as kind:
            return (Failing(str(BreakerName(kind, source)), here=reason.may_be_local),)
        case "bucket":
            return _of_bucket(source, fault, ref)
        case "sink":
            return (Failing(str(sink_breaker(fault.where)), here=reason.may_be_local),)
        case _:
            return ()


def _of_bucket(source: str, fault: Fault, ref: ObjectRef) -> tuple[Failing, ...]:
    bucket, scope = str(bucket_breaker(source, ref.bucket)), bucket_scope(ref)
    if fault.reason not in _OF_ONE_ACCOUNT or scope == ref.bucket:
        return (Failing(bucket, here=REASONS[fault.reason].may_be_local),)
    key = _KMS_KEY.search(fault.detail)
    of_key = (Failing(str(kms_breaker(source, key[0]))),) if key and fault.reason == "kms" else ()
    return *of_key, Failing(str(bucket_breaker(source, scope))), Failing(bucket, group=scope)


def breakers_of_read(source: str, ref: ObjectRef) -> tuple[str, ...]:
    """Return the breakers that a read of *ref* closes, and that prevent it while open."""
    scopes = dict.fromkeys((ref.bucket, bucket_scope(ref)))
    return tuple(str(bucket_breaker(source, scope)) for scope in scopes)
