"""The trails that CloudTrail shows in a region, as data; pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

LIMIT = 5  # trails in a region, with those of other regions and of the organisation; a fixed quota
_CONTROL_TOWER = "aws-controltower-"
_CONTROL_TOWER_BUCKET = re.compile(r"aws-controltower-logs-(\d{12})-", re.ASCII)


class VisibleTrail(msgspec.Struct, frozen=True, kw_only=True):
    """One trail: where it writes, what it announces, and whether it works.

    *is_logging* is None where AWS does not show it. *management_events* says whether it records
    all of them. *bucket_account* is empty where the bucket's owner is not known.
    """

    arn: str
    home_region: str
    bucket: str
    prefix: str = ""
    topic: str = ""
    key: str = ""
    organization: bool = False
    multi_region: bool = True
    management_events: bool = True
    is_logging: bool | None = None
    delivery_error: str = ""
    notification_error: str = ""
    bucket_region: str = ""
    bucket_account: str = ""

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def of_control_tower(self) -> bool:
        return self.name.startswith(_CONTROL_TOWER)

    @property
    def covers_account(self) -> bool:
        """Whether it records what a new trail would: AWS charges for a second copy."""
        return self.multi_region and self.management_events and self.is_logging is not False


def from_answers(
    trail: Mapping[str, Any], status: Mapping[str, Any], selectors: Mapping[str, Any]
) -> VisibleTrail:
    """Return the trail that DescribeTrails, GetTrailStatus and GetEventSelectors describe.

    *status* and *selectors* are empty where AWS did not show them.
    """
    owner = _CONTROL_TOWER_BUCKET.match(trail["S3BucketName"])
    return VisibleTrail(
        arn=trail["TrailARN"],
        home_region=trail.get("HomeRegion") or trail["TrailARN"].split(":")[3],
        bucket=trail["S3BucketName"],
        prefix=(trail.get("S3KeyPrefix") or "").strip("/"),
        topic=trail.get("SnsTopicARN") or "",
        key=trail.get("KmsKeyId") or "",
        organization=bool(trail.get("IsOrganizationTrail")),
        multi_region=bool(trail.get("IsMultiRegionTrail")),
        management_events=_records_management_events(selectors),
        is_logging=status.get("IsLogging"),
        delivery_error=status.get("LatestDeliveryError") or "",
        notification_error=status.get("LatestNotificationError") or "",
        bucket_account=owner[1] if owner else "",
    )


def _records_management_events(selectors: Mapping[str, Any]) -> bool:
    """Return whether one selector takes all management events; a trail without any takes them."""
    simple, advanced = (selectors.get(f"{kind}EventSelectors") for kind in ("", "Advanced"))
    if not simple and not advanced:
        return True
    return any(_takes_all(each) for each in simple or ()) or any(
        _advanced_takes_all(each.get("FieldSelectors", ())) for each in advanced or ()
    )


def _takes_all(selector: Mapping[str, Any]) -> bool:
    everything = selector.get("ReadWriteType", "All") == "All"
    return everything and selector.get("IncludeManagementEvents", True) is True


def _advanced_takes_all(fields: Iterable[Mapping[str, Any]]) -> bool:
    by_name = {each["Field"]: each.get("Equals", []) for each in fields}
    return bool(by_name.get("eventCategory") == ["Management"]) and "readOnly" not in by_name
