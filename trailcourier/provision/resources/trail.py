"""The steps for the trail, which covers all regions and validates log files."""

from typing import Any

from trailcourier.provision.names import Layout
from trailcourier.provision.resources.key import key_arn
from trailcourier.provision.service_principals import CLOUDTRAIL
from trailcourier.provision.steps import Fields, Step, call_factory


def trusted_access(layout: Layout) -> Step:
    trusted = f"EnabledServicePrincipals[?ServicePrincipal=='{CLOUDTRAIL}']"
    call = call_factory("organizations", layout.region)
    return Step(
        id="trusted-access",
        summary="the organisation lets CloudTrail work in all its accounts",
        resource="*",
        read_calls=(
            call(
                "ListAWSServiceAccessForOrganization",
                {"trusted": f"{trusted}.ServicePrincipal | [0]"},
            ),
        ),
        create_calls=(call("EnableAWSServiceAccess", ServicePrincipal=CLOUDTRAIL),),
        additive=True,
        keep_reason="other trails of the organisation may need it",
    )


def _settings(layout: Layout) -> dict[str, Any]:
    """Return the settings that CreateTrail and GetTrail have under the same names."""
    request = layout.request
    return {
        "S3BucketName": layout.bucket,
        **({"S3KeyPrefix": request.prefix} if request.prefix else {}),
        **({"KmsKeyId": key_arn(layout)} if layout.encrypts("logs") else {}),
        "IsMultiRegionTrail": True,
        "IncludeGlobalServiceEvents": True,
        "IsOrganizationTrail": request.organization,
        "RecursiveLogging": False,
    }


def trail(layout: Layout) -> Step:
    call = call_factory("cloudtrail", layout.region)
    request, settings = layout.request, _settings(layout)
    given = {"Name": layout.name, **settings, "EnableLogFileValidation": True}
    wanted = {**settings, "LogFileValidationEnabled": True}
    if request.delivery == "sns":
        # a topic in the trail's account and region is given by name: emulators take no ARN
        same_place = layout.topic_arn == layout.arn("sns", layout.topic_name)
        given["SnsTopicName"] = layout.topic_name if same_place else layout.topic_arn
        wanted["SnsTopicARN"] = layout.topic_arn
    whose = f"of organisation {layout.organization}" if request.organization else "of this account"
    return Step(
        id="trail",
        summary=(
            f"trail {layout.name} in {layout.region} records every region {whose}, with log file "
            "validation, without the events that its own deliveries cause"
        ),
        resource=layout.trail_arn,
        read_calls=(call("GetTrail", Name=layout.name),),
        expected=Fields("Trail", wanted, lenient=("RecursiveLogging", "IsOrganizationTrail")),
        create_calls=(call("CreateTrail", **given, TagsList=layout.tags),),
        update_calls=(call("UpdateTrail", **given),),
        delete_calls=(call("DeleteTrail", Name=layout.name),),
        tags_call=call("ListTags", ResourceIdList=[layout.trail_arn]),
    )


def selectors(layout: Layout) -> Step:
    call = call_factory("cloudtrail", layout.region)
    chosen = layout.request.data_events
    s3 = f"arn:{layout.partition}:s3"
    values = [s3] if "all" in chosen else [f"{s3}:::{bucket}/" for bucket in chosen]
    selector = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": values}] if values else [],
    }
    which = "every bucket" if chosen == ("all",) else ", ".join(chosen)
    data = f"the data events of objects in {which}" if chosen else "no data events"
    return Step(
        id="event-selectors",
        summary=f"trail {layout.name} records all management events and {data}",
        resource=layout.trail_arn,
        read_calls=(call("GetEventSelectors", TrailName=layout.name),),
        expected=Fields("EventSelectors[0]", selector),
        create_calls=(call("PutEventSelectors", TrailName=layout.name, EventSelectors=[selector]),),
        parent="trail",
    )


def logging(layout: Layout) -> Step:
    call = call_factory("cloudtrail", layout.region)
    return Step(
        id="logging",
        summary=f"trail {layout.name} is logging (a trail created by a program has to be started)",
        resource=layout.trail_arn,
        read_calls=(call("GetTrailStatus", Name=layout.name),),
        expected=Fields("@", {"IsLogging": True}),
        create_calls=(call("StartLogging", Name=layout.name),),
        parent="trail",
    )
