"""Which region each bucket is in, as far as it is known."""

import re
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from botocore.exceptions import ClientError

from trailcourier import aws, regions
from trailcourier.models import ObjectRef
from trailcourier.objects.reach import Noticed, Reach
from trailcourier.objects.stores import Stores

_ENDPOINT = re.compile(r"[.-]s3[.-](?:fips\.|dualstack\.)*([a-z0-9-]+)\.")


class Whereabouts:
    """Remembers; asks at most once per bucket; all threads share one."""

    def __init__(self, stores: Stores, reach: Reach, noticed: Noticed) -> None:
        self._stores = stores
        self._reach = reach
        self._noticed = noticed
        self._known: dict[str, str] = {}
        self._asking: dict[str, Future[str]] = {}
        self._lock = threading.Lock()

    def of(self, ref: ObjectRef) -> str:
        """Return the region to read *ref* in: as learned, configured, or named by its message.

        Raises what boto3 raises where the bucket has to be asked for and cannot be.
        """
        found = self._known.get(ref.bucket) or self._reach.bucket_region or region_code(ref.region)
        if found:
            return found
        with self._lock:
            if learned := self._known.get(ref.bucket):
                return learned
            asking = self._asking.get(ref.bucket)
            if asking is None:
                mine = self._asking[ref.bucket] = Future()
        return asking.result() if asking else self._answer(ref.bucket, mine)

    def moved(self, bucket: str, *, used: str, actual: str) -> None:
        """Remember that *bucket* is not in the region *used*, and say so once."""
        with self._lock:
            if self._known.get(bucket) == actual:
                return
            self._keep(bucket, actual)
        configured = self._reach.bucket_region or used
        told = {"bucket": bucket, "configured": configured, "actual": actual}
        self._noticed("bucket_region_differs", told)

    def ask(self, bucket: str) -> str | None:
        """Ask S3 where *bucket* is; None where it does not say.

        HeadBucket names the region even when it is denied, and in the region it sends one to.
        """
        client = self._stores.client(self._reach.home)
        try:
            head = client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if found := told(error):
                return found
            if "404" in aws.codes(error):
                raise
        else:
            named = head.get("BucketRegion") or header(head, "x-amz-bucket-region")
            if found := region_code(named):
                return found
        try:
            place = client.get_bucket_location(Bucket=bucket).get("LocationConstraint")
        except ClientError as error:
            return told(error)
        # none stands for the first region there was; it has no name of its own here
        return region_code(place) or "us-east-1"

    def _answer(self, bucket: str, asked: "Future[str]") -> str:
        """Ask for everybody who wants to know now, so that a failure too comes once."""
        try:
            region = self.ask(bucket) or self._reach.home
        except BaseException as error:
            asked.set_exception(error)
            raise
        else:
            with self._lock:
                self._keep(bucket, region)
            asked.set_result(region)
            return region
        finally:
            with self._lock:
                del self._asking[bucket]

    def _keep(self, bucket: str, region: str) -> None:
        if len(self._known) >= 10_000:  # a message can name any bucket
            self._known.clear()
        self._known[bucket] = region


def told(error: ClientError) -> str | None:
    """Return the region S3 says a bucket is in, where it refuses to answer in another."""
    said: Mapping[str, Any] = error.response.get("Error", {})
    endpoint = _ENDPOINT.search(str(said.get("Endpoint", "")))
    named = (
        header(error.response, "x-amz-bucket-region"),
        said.get("Region"),
        endpoint.group(1) if endpoint else None,
    )
    return next((code for each in named if (code := region_code(each))), None)


def header(answer: Any, name: str) -> str | None:
    """Return a header of a boto3 answer."""
    found: str | None = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(name)
    return found


def region_code(text: str | None) -> str | None:
    """Return *text* as a region code if it is one: it becomes part of a host name."""
    try:
        return regions.code(text) if text else None
    except ValueError:
        return None
