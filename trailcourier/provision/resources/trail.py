"""The trail: all regions, log file validation, and that it logs."""

from typing import Any

from trailcourier.provision import policies
from trailcourier.provision.layout import Layout
from trailcourier.provision.resources.key import arn
from trailcourier.provision.steps import Fields, Step, caller

_GONE = frozenset({"TrailNotFoundException"})


def trusted_access(layout: Layout) -> Step:
    trusted = f"EnabledServicePrincipals[?ServicePrincipal=='{policies.CLOUDTRAIL}']"

    call = caller("organizations", layout.region)
    return Step(
        id="trusted-access",
        words="the organisation lets CloudTrail work in all its accounts",
        resource="*",
        look=(
            call(
                "ListAWSServiceAccessForOrganization",
                {"trusted": f"{trusted}.ServicePrincipal | [0]"},
            ),
        ),
        make=(call("EnableAWSServiceAccess", ServicePrincipal=policies.CLOUDTRAIL),),
        adds=True,
        left="other trails of the organisation may need it",
    )


def _settings(layout: Layout) -> dict[str, Any]:
    """What a trail is given and says again under the same names."""
    asked = layout.request
    return {
        "S3BucketName": layout.bucket,
        **({"S3KeyPrefix": asked.prefix} if asked.prefix else {}),
        **({"KmsKeyId": arn(layout)} if layout.encrypted("logs") else {}),
        "IsMultiRegionTrail": True,
        "IncludeGlobalServiceEvents": True,
        "IsOrganizationTrail": asked.organization,
        "RecursiveLogging": False,
    }


def trail(layout: Layout) -> Step:
    call = caller("cloudtrail", layout.region)
    asked, both = layout.request, _settings(layout)
    given = {"Name": layout.name, **both, "EnableLogFileValidation": True}
    wanted = {**both, "LogFileValidationEnabled": True}
    if asked.delivery == "sns":
        # a topic beside the trail goes by its name; emulators know no other way
        beside = layout.topic_arn == layout.arn("sns", layout.topic_name)
        given["SnsTopicName"] = layout.topic_name if beside else layout.topic_arn
        wanted["SnsTopicARN"] = layout.topic_arn
    whose = f"of organisation {layout.organization}" if asked.organization else "of this account"
    return Step(
        id="trail",
        words=(
            f"trail {layout.name} in {layout.region} records every region {whose}, with log file "
            "validation, and leaves out the events of its own deliveries"
        ),
        resource=layout.trail_arn,
        look=(call("GetTrail", Name=layout.name),),
        want=Fields("Trail", wanted, lenient=("RecursiveLogging", "IsOrganizationTrail")),
        absent=_GONE,
        make=(call("CreateTrail", **given, TagsList=layout.tags),),
        mend=(call("UpdateTrail", **given),),
        undo=(call("DeleteTrail", Name=layout.name),),
        mark=call("ListTags", ResourceIdList=[layout.trail_arn]),
    )


def selectors(layout: Layout) -> Step:
    call = caller("cloudtrail", layout.region)
    chosen = layout.request.data_events
    s3 = f"arn:{layout.partition}:s3"
    values = [s3] if "all" in chosen else [f"{s3}:::{bucket}/" for bucket in chosen]
    selector = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": values}] if values else [],
    }
    which = ", ".join(chosen) if chosen and chosen != ("all",) else "every bucket"
    data = f"of objects in {which}" if chosen else "no data events"
    return Step(
        id="event-selectors",
        words=f"the trail records all management events, and {data}",
        resource=layout.trail_arn,
        look=(call("GetEventSelectors", TrailName=layout.name),),
        want=Fields("EventSelectors[0]", selector),
        absent=_GONE,
        make=(call("PutEventSelectors", TrailName=layout.name, EventSelectors=[selector]),),
        of="trail",
    )


def logging(layout: Layout) -> Step:
    call = caller("cloudtrail", layout.region)
    return Step(
        id="logging",
        words="the trail logs: one that was made by a program does not until it is told to",
        resource=layout.trail_arn,
        look=(call("GetTrailStatus", Name=layout.name),),
        want=Fields("@", {"IsLogging": True}),
        absent=_GONE,
        make=(call("StartLogging", Name=layout.name),),
        of="trail",
    )
