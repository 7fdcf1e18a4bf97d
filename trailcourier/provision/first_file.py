"""Wait for the first log file that CloudTrail writes to the bucket; changes nothing."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsCall
from trailcourier.provision.names import Layout

LOOK_SECONDS = 10.0  # between two looks


def wait(
    layout: Layout,
    client: Any,
    *,
    seconds: float,
    on_wait: Callable[[str], None],
    look_seconds: float = LOOK_SECONDS,
) -> str:
    """Return the key of a log file of this account, or an empty text after *seconds*.

    *on_wait* takes a line at each look that finds none. Looking stops where S3 denies it.
    """
    began = time.monotonic()
    while True:
        found, denied = look(layout, client)
        waited = time.monotonic() - began
        if found or denied or waited >= seconds:
            return found
        on_wait(
            f"waiting for the first log file in bucket {layout.bucket}: {waited / 60:.0f} of "
            f"{seconds / 60:.0f} minutes; CloudTrail writes it 5 to 15 minutes after an event"
        )
        time.sleep(min(look_seconds, max(0.0, seconds - waited)))


def look(layout: Layout, client: Any) -> tuple[str, bool]:
    """Return the key of one log file, if there is any, and whether S3 did not let us look."""
    for prefix in _prefixes(layout):
        owner = layout.request.bucket_account or layout.account
        parameters = {"Bucket": layout.bucket, "Prefix": prefix, "ExpectedBucketOwner": owner}
        call = AwsCall("s3", "ListObjectsV2", layout.bucket_region, layout.bucket_arn, parameters)
        answer = calls.make(call, partial(lambda given: given, client))
        if answer.fault:
            return "", True
        for each in answer.response.get("Contents", []):
            if each["Key"].endswith(".json.gz"):
                return str(each["Key"]), False
    return "", False


def _prefixes(layout: Layout) -> Iterator[str]:
    yield f"{layout.log_prefix}{layout.account}/CloudTrail/"
    if layout.request.organization:
        yield f"{layout.log_prefix}{layout.organization}/{layout.account}/CloudTrail/"
