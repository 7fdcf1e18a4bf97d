"""Opens one object in any region, and finds the exact reason if that fails."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import obstore
from botocore.exceptions import ClientError
from msgspec.structs import replace
from obstore.exceptions import BaseError

from trailcourier import keys
from trailcourier.aws import faults, responses, sessions
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef
from trailcourier.objects.access import BucketAccess, Notify
from trailcourier.objects.bucket_regions import BucketRegions, region_of_error
from trailcourier.objects.opened import (
    OpenedByBoto3,
    OpenedByObstore,
    OpenedObject,
    foreign_answer,
)
from trailcourier.objects.stores import Stores, has_dots, obstore_can_read

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

DENIED = frozenset({"AccessDenied", "403", "Forbidden"})

_ETAG = re.compile(r"[!#-~]{1,256}")
# obstore's messages for requests that it has retried itself, or that timed out
_RETRIED = re.compile(r"status code: (?:429|5\d\d)|TimedOut|kind: Timeout")


def ignore_event(event: str, fields: dict[str, str]) -> None:
    """Do nothing."""


class Reader:
    """Opens the objects of one source; threads may share one."""

    def __init__(
        self,
        session: boto3.Session,
        access: BucketAccess,
        *,
        max_compressed: int,
        notify: Notify = ignore_event,
        bucket_credentials: bool = False,
    ) -> None:
        """Read with *session*; *bucket_credentials*: it is not the source's, but some buckets'.

        Objects larger than *max_compressed* bytes are not read.
        """
        self._session = session
        self._bucket_credentials = bucket_credentials
        self._access = access
        self._max_compressed = max_compressed
        self._notify = notify
        self._stores = Stores(session, access)
        self._regions = BucketRegions(self._stores, access, notify)
        self._versions_denied: set[str] = set()

    def uses_source_credentials(self, bucket: str) -> bool:
        """Return whether *bucket* is read with the source's own credentials."""
        del bucket
        return not self._bucket_credentials

    def open(self, ref: ObjectRef) -> OpenedObject:
        """Return the object with size and etag, its body not read yet.

        Opens the version that *ref* names, or the newest if reading versions is denied.  If *ref*
        has an etag and no version, the object must have that etag.  Raises Fault, for example
        ``too-large`` before any of the body is read.
        """
        _check_names(ref)
        try:
            opened = self._open_in(ref, self._regions.find(ref))
        except faults.AWS_ERRORS as error:
            raise self._to_fault(error, ref) from error
        if opened.size > self._max_compressed:
            opened.close()
            detail = f"{ref}: {opened.size} bytes, the source allows {self._max_compressed}"
            raise Fault("too-large", detail, where=ref.bucket)
        return opened

    def _open_in(self, ref: ObjectRef, region: str) -> OpenedObject:
        """Open *ref* in *region*; if S3 names another region, remember it and open *ref* there."""
        try:
            return self._open_version(ref, region)
        except ClientError as error:
            if faults.to_fault(error, what="", where="").reason != "region":
                raise
            actual = region_of_error(error) or self._regions.ask(ref.bucket)
            if actual is None or actual == region:
                raise
            if self._access.strict_region and self._access.bucket_region:
                detail = f"bucket_region is {region}, bucket {ref.bucket} is in {actual}"
                raise Fault("region", f"{ref}: {detail}", where=ref.bucket) from error
        self._regions.correct(ref.bucket, used=region, actual=actual)
        return self._open_version(ref, actual)

    def _open_version(self, ref: ObjectRef, region: str) -> OpenedObject:
        """Open the version that *ref* names, or the newest if reading versions is denied."""
        newest = replace(ref, version=None)
        if ref.version is None or ref.bucket in self._versions_denied:
            return self._get(newest, region)
        try:
            return self._get(ref, region)
        except ClientError as error:
            if not faults.codes(error) & DENIED:
                raise
        opened = self._get(newest, region)
        self._versions_denied.add(ref.bucket)
        self._notify("version_denied", {"bucket": ref.bucket})
        return opened

    def _get(self, ref: ObjectRef, region: str) -> OpenedObject:
        if self._access.owner or not obstore_can_read(ref.key):
            return self._open_by_boto3(ref, region)
        store = self._stores.store(ref.bucket, region)
        try:
            result = obstore.get(store, ref.key, options=_get_options(ref))
        except (BaseError, FileNotFoundError, ValueError) as error:
            message = str(error)
            if _RETRIED.search(message):
                raise
        else:
            message = _suspicion(ref, result)
            if not message:
                by_boto3 = partial(self._open_by_boto3, ref, region)
                return OpenedByObstore(ref, region, result, by_boto3)
        # boto3 has the exact error code and S3's request id; obstore exposes neither
        opened = self._open_by_boto3(ref, region)
        why = message.partition("\n")[0]
        self._notify("read_by_boto3", {"object": str(ref), "why": why})
        return opened

    def _open_by_boto3(self, ref: ObjectRef, region: str) -> OpenedObject:
        client = self._stores.client(region)
        url = client.meta.endpoint_url
        if has_dots(ref.key) and url.startswith("http:") and self._access.network.proxy(url):
            detail = f"{ref}: an HTTP proxy would change the path of this key"
            raise Fault("unknown-key", detail, where=ref.bucket)
        response = client.get_object(Bucket=ref.bucket, Key=ref.key, **self._parameters(ref))
        headers = response["ResponseMetadata"]["HTTPHeaders"]
        host, from_s3 = urlsplit(url).netloc, responses.has_request_id(headers)
        size: int | None = response.get("ContentLength")  # a web page may have none
        if size is None or (not from_s3 and _has_other_size(ref, size)):
            response["Body"].close()
            raise foreign_answer(ref, host, content_type=headers.get("content-type", ""))
        return OpenedByBoto3(
            ref,
            region,
            etag=response.get("ETag", ""),
            size=size,
            stream=response["Body"],
            timeout=self._access.total_timeout,
            host=host,
            from_s3=from_s3,
        )

    def _parameters(self, ref: ObjectRef) -> dict[str, Any]:
        etag = _required_etag(ref)
        return (
            ({"VersionId": ref.version} if ref.version else {})
            | ({"IfMatch": etag} if etag else {})
            | ({"ExpectedBucketOwner": self._access.owner} if self._access.owner else {})
        )

    def _to_fault(self, error: Exception, ref: ObjectRef) -> Fault:
        found = faults.to_fault(error, what=str(ref), where=ref.bucket)
        if found.reason in faults.CREDENTIAL_REASONS:
            sessions.forget_keys(self._session)
            if self._bucket_credentials:  # the source's other buckets are not affected
                return Fault("bucket-credentials", found.detail, where=found.where)
        return found


def _suspicion(ref: ObjectRef, result: "GetResult") -> str:
    """Return why the response may not be from S3; empty if nothing suggests that."""
    if not result.meta["e_tag"]:
        return "a response without an etag"
    if responses.is_html(str(result.attributes.get("Content-Type", ""))):
        return "a response with the content type of a web page"
    return "a response of another size" if _has_other_size(ref, result.meta["size"]) else ""


def _has_other_size(ref: ObjectRef, size: int) -> bool:
    """Return whether *ref* requires an etag, and names another size than *size*."""
    return _required_etag(ref) is not None and ref.size is not None and ref.size != size


def _get_options(ref: ObjectRef) -> "GetOptions":
    options: GetOptions = {}
    if ref.version:
        options["version"] = ref.version
    if etag := _required_etag(ref):
        options["if_match"] = etag
    return options


def _required_etag(ref: ObjectRef) -> str | None:
    """Return the etag the object must have, quoted for a header; None if *ref* has a version."""
    bare = (ref.etag or "").strip('"')
    return f'"{bare}"' if ref.version is None and _ETAG.fullmatch(bare) else None


def _check_names(ref: ObjectRef) -> None:
    """Raise Fault for names that no bucket or object can have: they are text from outside."""
    if not keys.BUCKET.fullmatch(ref.bucket):
        detail = f"{ref.bucket!r:.300} is not a valid bucket name"
        raise Fault("bucket-not-allowed", detail, where=ref.bucket)
    try:
        ref.key.encode()
    except UnicodeEncodeError as error:
        raise Fault(
            "unknown-key", f"{ref.key!r:.300} is not valid Unicode text", where=ref.bucket
        ) from error
