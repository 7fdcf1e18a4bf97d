"""The KMS key for what the request wants encrypted with one."""

from typing import Any

from trailcourier.provision import documents, policies
from trailcourier.provision.layout import TAG, Layout
from trailcourier.provision.steps import MERGED, Known, Statements, Step, caller

LEFT = (
    "what was encrypted with it could never be read again. If that is wanted: "
    "aws kms schedule-key-deletion --key-id ID"
)


def arn(layout: Layout) -> Any:
    """The key's ARN; that of a new one is known once it is made."""
    return Known("key_arn") if layout.request.kms_key == "new" else layout.request.kms_key


def region(layout: Layout) -> str:
    """Where the key is: log files want one of the bucket's region."""
    if layout.request.kms_key != "new":
        return layout.request.kms_key.split(":")[3]
    return layout.bucket_region if layout.encrypted("logs") else layout.region


def key(layout: Layout) -> Step:
    tagged = [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in layout.tags]
    both = (*policies.key_owner(layout), *policies.key(layout))
    return Step(
        id="key",
        words=f"a KMS key in {region(layout)} encrypts {', '.join(layout.request.encrypt)}",
        resource="*",
        look=(
            # by its tag, which a key has from the start; an alias would be a second call
            caller("resourcegroupstaggingapi", region(layout))(
                "GetResources",
                {"key_arn": "ResourceTagMappingList[0].ResourceARN"},
                ResourceTypeFilters=["kms:key"],
                TagFilters=[{"Key": TAG, "Values": [layout.name]}],
            ),
        ),
        make=(
            caller("kms", region(layout))(
                "CreateKey",
                {"key_arn": "KeyMetadata.Arn"},
                Description=f"CloudTrail log files, for {layout.name}",
                Policy=documents.policy(both),
                Tags=tagged,
            ),
        ),
        left=LEFT,
    )


def policy(layout: Layout) -> Step:
    call = caller("kms", region(layout), KeyId=arn(layout), PolicyName="default")
    put = call("PutKeyPolicy", Policy=MERGED)
    existing = layout.request.kms_key != "new"
    return Step(
        id="key-policy",
        words="the key's policy lets those use it that encrypt with it",
        resource=layout.request.kms_key if existing else "*",
        look=(call("GetKeyPolicy"),),
        want=Statements("Policy", policies.key(layout)),
        make=(put,),
        undo=(put,),
        adds=True,
    )
