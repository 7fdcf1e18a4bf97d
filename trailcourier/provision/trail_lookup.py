"""Ask AWS for the trails that are visible in a region, and for their buckets; changes nothing."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.provision import visible_trails
from trailcourier.provision.step_runner import Clients
from trailcourier.provision.visible_trails import VisibleTrail

READS = ("cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors")


class FoundTrails(msgspec.Struct, frozen=True):
    """The visible *trails*; or, if AWS does not show them, the *failure*."""

    trails: tuple[VisibleTrail, ...] = ()
    failure: AwsAnswer | None = None


def find(region: str, account: str, clients: Clients) -> FoundTrails:
    """Return the trails of *region*: its own, those of all regions, and the organisation's."""
    every = {"includeShadowTrails": True}
    answer = _ask(AwsCall("cloudtrail", "DescribeTrails", region, "*", every), clients)
    if not answer.good:
        return FoundTrails(failure=answer)
    found = (_look_closer(each, account, clients) for each in answer.response.get("trailList", []))
    return FoundTrails(tuple(found))


def _look_closer(trail: Mapping[str, Any], account: str, clients: Clients) -> VisibleTrail:
    arn, home = trail["TrailARN"], trail.get("HomeRegion") or trail["TrailARN"].split(":")[3]
    status = _ask(AwsCall("cloudtrail", "GetTrailStatus", home, arn, {"Name": arn}), clients)
    by_name = {"TrailName": arn}
    selectors = _ask(AwsCall("cloudtrail", "GetEventSelectors", home, arn, by_name), clients)
    found = visible_trails.from_answers(
        trail,
        status.response if status.good else {},
        selectors.response if selectors.good else {},
    )
    return _find_bucket(found, account, clients)


def _find_bucket(trail: VisibleTrail, account: str, clients: Clients) -> VisibleTrail:
    """Return *trail* with the region of its bucket, and the bucket's owner if it is *account*."""
    owned = {"Bucket": trail.bucket, "ExpectedBucketOwner": account}
    answer = _ask(AwsCall("s3", "HeadBucket", trail.home_region, parameters=owned), clients)
    owner = account if answer.good and not trail.bucket_account else trail.bucket_account
    region = answer.bucket_region or (trail.home_region if answer.good else "")
    return replace(trail, bucket_region=region, bucket_account=owner)


def _ask(call: AwsCall, clients: Clients) -> AwsAnswer:
    return calls.make(call, partial(clients, call.service, call.region))
