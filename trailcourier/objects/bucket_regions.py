"""The region of each bucket, as far as it is known."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from trailcourier.aws import faults, regions
from trailcourier.models import ObjectRef
from trailcourier.objects.access import BucketAccess, Notify
from trailcourier.objects.stores import Stores
from trailcourier.once_cache import OnceCache

CACHED = 10_000  # buckets, at most: a message can name any bucket

_ENDPOINT = re.compile(r"[.-]s3[.-](?:fips\.|dualstack\.)*([a-z0-9-]+)\.")


class BucketRegions:
    """Finds and caches bucket regions; asks S3 once per bucket; threads may share one."""

    def __init__(self, stores: Stores, access: BucketAccess, notify: Notify) -> None:
        self._stores = stores
        self._access = access
        self._notify = notify
        self._known = OnceCache(most=CACHED)

    def find(self, ref: ObjectRef) -> str:
        """Return the region to read *ref* in: learned, configured, from its message, or from S3.

        Raises boto3's errors if it has to ask S3 and the request fails.
        """
        return (
            self._known.peek(ref.bucket)
            or self._access.bucket_region
            or region_code_or_none(ref.region)
            or self._known.get(ref.bucket, lambda: self.ask(ref.bucket) or self._access.home)
        )

    def correct(self, bucket: str, *, used: str, actual: str) -> None:
        """Store that *bucket* is in *actual* and not in the region *used*; notify once."""
        if self._known.replace(bucket, actual):
            configured = self._access.bucket_region or used
            fields = {"bucket": bucket, "configured": configured, "actual": actual}
            self._notify("bucket_region_differs", fields)

    def ask(self, bucket: str) -> str | None:
        """Ask S3 for the region of *bucket*; None if S3 does not say.

        HeadBucket returns the region even if it is denied, or answered from another region.
        """
        client = self._stores.client(self._access.home)
        try:
            head = client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if found := region_of_error(error):
                return found
            if "404" in faults.codes(error):
                raise
        else:
            named = head.get("BucketRegion") or header(head, "x-amz-bucket-region")
            if found := region_code_or_none(named):
                return found
        try:
            place = client.get_bucket_location(Bucket=bucket).get("LocationConstraint")
        except ClientError as error:
            return region_of_error(error)
        # GetBucketLocation returns no name for us-east-1
        return region_code_or_none(place) or "us-east-1"


def region_of_error(error: ClientError) -> str | None:
    """Return the bucket's region that S3 names when it refuses a request in another region."""
    body: Mapping[str, Any] = error.response.get("Error", {})
    endpoint = _ENDPOINT.search(str(body.get("Endpoint", "")))
    named = (
        header(error.response, "x-amz-bucket-region"),
        body.get("Region"),
        endpoint.group(1) if endpoint else None,
    )
    return next((code for each in named if (code := region_code_or_none(each))), None)


def header(response: Any, name: str) -> str | None:
    """Return a header of a boto3 response."""
    found: str | None = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name)
    return found


def region_code_or_none(text: str | None) -> str | None:
    """Return *text* as a region code, else None: it becomes part of a host name."""
    try:
        return regions.parse_code(text) if text else None
    except ValueError:
        return None
