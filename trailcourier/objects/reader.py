"""Open one object, wherever its bucket is, and say exactly why where that fails."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import obstore
from botocore.exceptions import ClientError
from msgspec.structs import replace
from obstore.exceptions import BaseError

from trailcourier import aws, keys
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects.opened import Opened, OpenedByBoto3, OpenedByObstore, not_aws
from trailcourier.objects.reach import Noticed, Reach
from trailcourier.objects.stores import Stores, has_dots, readable
from trailcourier.objects.whereabouts import Whereabouts, told

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

DENIED = frozenset({"AccessDenied", "403", "Forbidden"})

_ETAG = re.compile(r"[!#-~]{1,256}")
# obstore's words for what it tried again itself, or waited for as long as it may
_TRIED = re.compile(r"status code: (?:429|5\d\d)|TimedOut|kind: Timeout")


def ignore(event: str, fields: dict[str, str]) -> None:
    """Tell nobody."""


class Reader:
    """Reads the objects of one source; all threads of a process share one."""

    def __init__(
        self,
        session: boto3.Session,
        reach: Reach,
        *,
        max_compressed: int,
        noticed: Noticed = ignore,
        own: bool = False,
    ) -> None:
        """Read as *session*; *own* says that it is for some buckets, and not the source's."""
        self._session = session
        self._own = own
        self._reach = reach
        self._max = max_compressed
        self._noticed = noticed
        self._stores = Stores(session, reach)
        self._whereabouts = Whereabouts(self._stores, reach, noticed)
        self._versionless: set[str] = set()

    def shares(self, bucket: str) -> bool:
        """Whether *bucket* is read with the credentials of the whole source."""
        del bucket
        return not self._own

    def open(self, ref: ObjectRef) -> Opened:
        """Return the object with its size and etag known, and its body still to be read.

        The version a message names is the one read; where versions may not be read, the newest
        is.  A message's etag without a version has to be the object's.  Raises Fault, among
        others ``too-large`` before any of the body is read.
        """
        _check(ref)
        try:
            opened = self._follow(ref, self._whereabouts.of(ref))
        except aws.ERRORS as error:
            raise self._fault(error, ref) from error
        if opened.size > self._max:
            opened.close()
            said = f"{ref}: {opened.size} bytes, the source allows {self._max}"
            raise Fault("too-large", said, where=ref.bucket)
        return opened

    def _follow(self, ref: ObjectRef, region: str) -> Opened:
        """Open *ref* in *region*, or in the one S3 sends us to instead, and remember that."""
        try:
            return self._versioned(ref, region)
        except ClientError as error:
            if aws.fault(error, what="", where="").reason != "region":
                raise
            actual = told(error) or self._whereabouts.ask(ref.bucket)
            if actual is None or actual == region:
                raise
            if self._reach.strict_region and self._reach.bucket_region:
                said = f"bucket_region is {region}, bucket {ref.bucket} is in {actual}"
                raise Fault("region", f"{ref}: {said}", where=ref.bucket) from error
        self._whereabouts.moved(ref.bucket, used=region, actual=actual)
        return self._versioned(ref, actual)

    def _versioned(self, ref: ObjectRef, region: str) -> Opened:
        """Open the version *ref* names, or the newest where versions may not be read."""
        newest = replace(ref, version=None)
        if ref.version is None or ref.bucket in self._versionless:
            return self._get(newest, region)
        try:
            return self._get(ref, region)
        except ClientError as error:
            if not aws.codes(error) & DENIED:
                raise
        opened = self._get(newest, region)
        self._versionless.add(ref.bucket)
        self._noticed("version_denied", {"bucket": ref.bucket})
        return opened

    def _get(self, ref: ObjectRef, region: str) -> Opened:
        if self._reach.owner or not readable(ref.key):
            return self._by_boto3(ref, region)
        store = self._stores.store(ref.bucket, region)
        try:
            result = obstore.get(store, ref.key, options=_options(ref))
        except (BaseError, FileNotFoundError, ValueError) as error:
            said = str(error)
            if _TRIED.search(said):
                raise
        else:
            said = _doubt(ref, result)
            if not said:
                again = partial(self._by_boto3, ref, region)
                return OpenedByObstore(ref, region, result, again)
        # boto3 names the exact code and knows S3 by its request id, neither of which obstore shows
        opened = self._by_boto3(ref, region)
        why = said.partition("\n")[0]
        self._noticed("read_by_boto3", {"object": str(ref), "why": why})
        return opened

    def _by_boto3(self, ref: ObjectRef, region: str) -> Opened:
        client = self._stores.client(region)
        url = client.meta.endpoint_url
        if has_dots(ref.key) and url.startswith("http:") and self._reach.egress.proxy(url):
            said = f"{ref}: a proxy would make another path of this key"
            raise Fault("unknown-key", said, where=ref.bucket)
        answer = client.get_object(Bucket=ref.bucket, Key=ref.key, **self._conditions(ref))
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        host, signed = urlsplit(url).netloc, aws.signed(headers)
        size: int | None = answer.get("ContentLength")  # a page's may be left out
        if size is None or (not signed and _differs(ref, size)):
            answer["Body"].close()
            raise not_aws(ref, host, kind=headers.get("content-type", ""))
        return OpenedByBoto3(
            ref,
            region,
            etag=answer.get("ETag", ""),
            size=size,
            stream=answer["Body"],
            whole=self._reach.whole,
            host=host,
            signed=signed,
        )

    def _conditions(self, ref: ObjectRef) -> dict[str, Any]:
        etag = _etag(ref)
        return (
            ({"VersionId": ref.version} if ref.version else {})
            | ({"IfMatch": etag} if etag else {})
            | ({"ExpectedBucketOwner": self._reach.owner} if self._reach.owner else {})
        )

    def _fault(self, error: Exception, ref: ObjectRef) -> Fault:
        found = aws.fault(error, what=str(ref), where=ref.bucket)
        if found.reason in aws.OF_KEYS:
            aws.forget(self._session)
            if self._own:  # others of the source are none the worse
                return Fault("bucket-credentials", found.detail, where=found.where)
        return found


def _doubt(ref: ObjectRef, result: "GetResult") -> str:
    """Say why an answer may not be S3's, of whose headers obstore shows few; empty where it is."""
    if not result.meta["e_tag"]:
        return "an answer without an etag"
    if aws.is_page(str(result.attributes.get("Content-Type", ""))):
        return "an answer with the content type of a web page"
    return "an answer of another size" if _differs(ref, result.meta["size"]) else ""


def _differs(ref: ObjectRef, size: int) -> bool:
    """Say whether the content a message names by its etag has another *size* there."""
    return _etag(ref) is not None and ref.size is not None and ref.size != size


def _options(ref: ObjectRef) -> "GetOptions":
    options: GetOptions = {}
    if ref.version:
        options["version"] = ref.version
    if etag := _etag(ref):
        options["if_match"] = etag
    return options


def _etag(ref: ObjectRef) -> str | None:
    """Return the etag the object must have, as a header says it; a version says it better."""
    bare = (ref.etag or "").strip('"')
    return f'"{bare}"' if ref.version is None and _ETAG.fullmatch(bare) else None


def _check(ref: ObjectRef) -> None:
    """Refuse names that no bucket or object has: a message is text from outside."""
    if not keys.BUCKET.fullmatch(ref.bucket):
        said = f"{ref.bucket!r:.300} is no name of a bucket"
        raise Fault("bucket-not-allowed", said, where=ref.bucket)
    try:
        ref.key.encode()
    except UnicodeEncodeError as error:
        raise Fault("unknown-key", f"{ref.key!r:.300} is no text", where=ref.bucket) from error
