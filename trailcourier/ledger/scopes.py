"""The scope of a fault: which breakers count it, from the narrowest cause to the widest.

Names of breakers: ``queue:SOURCE``, ``credentials:SOURCE``, ``bucket:SOURCE:BUCKET`` for a whole
bucket, ``bucket:SOURCE:BUCKET/ACCOUNT`` for one account's files in it, ``kms:SOURCE:KEY`` for what
one KMS key encrypts, ``sink:NAME``.  Where a fault may be one host's own, ``NAME@HOST``.
"""

import re

import msgspec

from trailcourier import keys
from trailcourier.dispositions import REASONS
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef

_KMS_KEY = re.compile(r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+", re.ASCII)
_OF_ONE_ACCOUNT = frozenset({"access-denied", "kms", "s3-error"})


class Failing(msgspec.Struct, frozen=True, omit_defaults=True):
    """One breaker that counts a failure.

    *here* says that the failure may be this host's own.  With a *group*, the breaker opens only
    once failures of two groups are counted: those of one have a narrower breaker.
    """

    name: str
    here: bool = False
    group: str = ""


def bucket_scope(ref: ObjectRef) -> str:
    """The bucket of an object, with the account whose file it is: ``bucket/123456789012``."""
    account = keys.account(ref.key)
    return f"{ref.bucket}/{account}" if account else ref.bucket


def failing(source: str, fault: Fault, ref: ObjectRef) -> tuple[Failing, ...]:
    """The breakers that count *fault* of the object *ref*, the narrowest first."""
    reason = REASONS[fault.reason]
    match reason.breaker:
        case "queue" | "credentials" as kind:
            return (Failing(f"{kind}:{source}", here=reason.may_be_local),)
        case "bucket":
            return _of_bucket(source, fault, ref)
        case "sink":
            return (Failing(f"sink:{fault.where}", here=reason.may_be_local),)
        case _:
            return ()


def _of_bucket(source: str, fault: Fault, ref: ObjectRef) -> tuple[Failing, ...]:
    bucket, scope = f"bucket:{source}:{ref.bucket}", bucket_scope(ref)
    if fault.reason not in _OF_ONE_ACCOUNT or scope == ref.bucket:
        return (Failing(bucket, here=REASONS[fault.reason].may_be_local),)
    key = _KMS_KEY.search(fault.detail)
    of_key = (Failing(f"kms:{source}:{key[0]}"),) if key and fault.reason == "kms" else ()
    return *of_key, Failing(f"bucket:{source}:{scope}"), Failing(bucket, group=scope)


def reading(source: str, ref: ObjectRef) -> tuple[str, ...]:
    """The breakers that a read of *ref* closes, and that keep it from being read."""
    bucket, scope = f"bucket:{source}:{ref.bucket}", f"bucket:{source}:{bucket_scope(ref)}"
    return (bucket,) if scope == bucket else (bucket, scope)
