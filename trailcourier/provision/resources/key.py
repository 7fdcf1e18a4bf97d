"""The steps for the KMS key that the request asks for."""

from typing import Any

from trailcourier.provision import documents, policies
from trailcourier.provision.documents import Statements
from trailcourier.provision.merge_rules import TAG
from trailcourier.provision.names import Layout
from trailcourier.provision.steps import MERGED, Fields, Placeholder, Step, call_factory

KEEP_REASON = (
    "without it, nobody can read again what it encrypted. To delete it all the same: "
    "aws kms schedule-key-deletion --key-id ID"
)


def key_arn(layout: Layout) -> Any:
    """Return the key's ARN; for a new key, a placeholder."""
    return Placeholder("key_arn") if layout.request.kms_key == "new" else layout.request.kms_key


def key_region(layout: Layout) -> str:
    """Return the key's region; for log files it has to be the bucket's."""
    if layout.request.kms_key != "new":
        return layout.request.kms_key.split(":")[3]
    return layout.bucket_region if layout.encrypts("logs") else layout.region


def key(layout: Layout) -> Step:
    tagged = [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in layout.tags]
    both = (*policies.key_owner_statements(layout), *policies.key_statements(layout))
    return Step(
        id="key",
        summary=f"KMS key in {key_region(layout)} encrypts {', '.join(layout.request.encrypt)}",
        resource="*",
        read_calls=(
            # by its tag, which CreateKey sets; an alias would take a second call
            call_factory("resourcegroupstaggingapi", key_region(layout))(
                "GetResources",
                {"key_arn": "ResourceTagMappingList[0].ResourceARN"},
                ResourceTypeFilters=["kms:key"],
                TagFilters=[{"Key": TAG, "Values": [layout.name]}],
            ),
        ),
        create_calls=(
            call_factory("kms", key_region(layout))(
                "CreateKey",
                {"key_arn": "KeyMetadata.Arn"},
                Description=f"CloudTrail log files, for {layout.name}",
                Policy=documents.policy_document(both),
                Tags=tagged,
            ),
        ),
        keep_reason=KEEP_REASON,
    )


def rotation(layout: Layout) -> Step:
    call = call_factory("kms", key_region(layout), KeyId=key_arn(layout))
    return Step(
        id="key-rotation",
        summary=f"KMS rotates the new key in {key_region(layout)} every year",
        resource="*",
        read_calls=(call("GetKeyRotationStatus"),),
        expected=Fields("@", {"KeyRotationEnabled": True}),
        create_calls=(call("EnableKeyRotation"),),
        parent="key",
    )


def policy(layout: Layout) -> Step:
    call = call_factory("kms", key_region(layout), KeyId=key_arn(layout), PolicyName="default")
    put = call("PutKeyPolicy", Policy=MERGED)
    existing = layout.request.kms_key != "new"
    which = layout.request.kms_key if existing else f"the new key in {key_region(layout)}"
    return Step(
        id="key-policy",
        summary=f"the policy of {which} lets the services that encrypt with the key use it",
        resource=layout.request.kms_key if existing else "*",
        read_calls=(call("GetKeyPolicy"),),
        expected=Statements("Policy", policies.key_statements(layout)),
        create_calls=(put,),
        delete_calls=(put,),
        additive=True,
    )
