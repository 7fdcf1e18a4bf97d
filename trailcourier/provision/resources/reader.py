"""The steps for the collector's identity: a user in a group, or a role."""

from typing import Any

from trailcourier.provision import documents, policies
from trailcourier.provision.documents import Statements
from trailcourier.provision.names import Layout
from trailcourier.provision.resources.key import key_arn
from trailcourier.provision.steps import MERGED, Fields, Placeholder, Step, call_factory

KEEP_REASON = (
    "something that setup did not create is attached to it; detach that, then run this again"
)
_ASSUMED_BY = {
    "instance-profile": "an EC2 instance",
    "pod-identity": "an EKS pod",
    "cross-account": "a collector in another account, with the external id",
}


def _identity(layout: Layout) -> dict[str, Any]:
    """Return what a new user and a new role have in common."""
    boundary = layout.request.permissions_boundary
    return {
        **({} if layout.request.path == "/" else {"Path": layout.request.path}),
        **({"PermissionsBoundary": boundary} if boundary else {}),
        "Tags": layout.tags,
    }


def group(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    named = {"GroupName": layout.name}
    return Step(
        id="group",
        summary=f"IAM group {layout.name} carries the collector's permissions",
        resource=layout.iam_arn("group", layout.group_path),
        read_calls=(call("GetGroup", **named),),
        create_calls=(call("CreateGroup", **named, Path=layout.group_path),),
        delete_calls=(call("DeleteGroup", **named),),
        in_use_calls=(
            call(
                "GetGroup", {"member": f"Users[?UserName!='{layout.name}'].UserName | [0]"}, **named
            ),
            call(
                "ListAttachedGroupPolicies", {"attached": "AttachedPolicies[0].PolicyArn"}, **named
            ),
        ),
        in_use_reason=KEEP_REASON,
    )


def inline_policy(layout: Layout, holder: Step) -> Step:
    """Return the step for the collector's permissions, in the group or role *holder*."""
    kind = holder.id.title()
    call = call_factory("iam", layout.region)
    statements = policies.reader_statements(layout, key_arn(layout))
    named = {f"{kind}Name": layout.name, "PolicyName": layout.name}
    document = documents.policy_document(statements)
    return Step(
        id=f"{holder.id}-policy",
        summary=(
            f"the policy of IAM {holder.id} {layout.name} allows what the collector needs "
            f"({layout.policy_form})"
        ),
        resource=holder.resource,
        read_calls=(call(f"Get{kind}Policy", **named),),
        expected=Fields("PolicyDocument", {"Statement": document["Statement"]}),
        create_calls=(call(f"Put{kind}Policy", **named, PolicyDocument=document),),
        delete_calls=(call(f"Delete{kind}Policy", **named),),
        parent=holder.id,
    )


def user(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    named = {"UserName": layout.name}
    return Step(
        id="user",
        summary=f"IAM user {layout.name} is the collector's identity",
        resource=layout.user_arn,
        read_calls=(call("GetUser", **named),),
        create_calls=(call("CreateUser", **named, **_identity(layout)),),
        delete_calls=(call("DeleteUser", **named),),
        in_use_calls=(
            call(
                "ListAttachedUserPolicies", {"attached": "AttachedPolicies[0].PolicyArn"}, **named
            ),
        ),
        in_use_reason=KEEP_REASON,
    )


def membership(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    both = {"UserName": layout.name, "GroupName": layout.name}
    member = f"Groups[?GroupName=='{layout.name}'].GroupName | [0]"
    return Step(
        id="membership",
        summary=f"IAM user {layout.name} is in group {layout.name}",
        resource=layout.iam_arn("group", layout.group_path),
        read_calls=(
            call(
                "ListGroupsForUser",
                {"member": member},
                resource=layout.user_arn,
                UserName=layout.name,
            ),
        ),
        create_calls=(call("AddUserToGroup", **both),),
        delete_calls=(call("RemoveUserFromGroup", **both),),
        parent="user",
    )


def access_key(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    named = {"UserName": layout.name}
    existing = {"access_key_id": "AccessKeyMetadata[0].AccessKeyId"}
    created = {
        "access_key_id": "AccessKey.AccessKeyId",
        "secret_access_key": "AccessKey.SecretAccessKey",
    }
    return Step(
        id="access-key",
        summary=f"IAM user {layout.name} has an access key (AWS shows its secret only once)",
        resource=layout.user_arn,
        read_calls=(call("ListAccessKeys", existing, **named),),
        create_calls=(call("CreateAccessKey", created, **named),),
        delete_calls=(call("DeleteAccessKey", **named, AccessKeyId=Placeholder("access_key_id")),),
        parent="user",
        repeated=True,
    )


def role(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    named = {"RoleName": layout.name}
    statements = policies.trust_statements(layout, Placeholder("external_id"))
    create = {
        "AssumeRolePolicyDocument": documents.policy_document(statements),
        "Description": "Trailcourier reads CloudTrail log files as this role",
        **_identity(layout),
    }
    return Step(
        id="role",
        summary=(
            f"IAM role {layout.name} is the collector's identity; "
            f"{_ASSUMED_BY[layout.request.reader]} may assume it"
        ),
        resource=layout.role_arn,
        read_calls=(call("GetRole", **named),),
        expected=Statements("Role.AssumeRolePolicyDocument", statements),
        create_calls=(call("CreateRole", **named, **create),),
        update_calls=(call("UpdateAssumeRolePolicy", **named, PolicyDocument=MERGED),),
        delete_calls=(call("DeleteRole", **named),),
        in_use_calls=(
            call(
                "ListAttachedRolePolicies", {"attached": "AttachedPolicies[0].PolicyArn"}, **named
            ),
        ),
        in_use_reason=KEEP_REASON,
    )


def _profile(layout: Layout) -> dict[str, Any]:
    """Return what a new instance profile has of an identity: it takes no boundary."""
    given = _identity(layout)
    return {name: given[name] for name in given if name != "PermissionsBoundary"}


def instance_profile(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    named = {"InstanceProfileName": layout.name}
    return Step(
        id="instance-profile",
        summary=f"instance profile {layout.name} gives the role to an EC2 instance",
        resource=layout.iam_arn("instance-profile"),
        read_calls=(call("GetInstanceProfile", **named),),
        create_calls=(call("CreateInstanceProfile", **named, **_profile(layout)),),
        delete_calls=(call("DeleteInstanceProfile", **named),),
    )


def instance_profile_role(layout: Layout) -> Step:
    call = call_factory("iam", layout.region)
    both = {"InstanceProfileName": layout.name, "RoleName": layout.name}
    held = f"InstanceProfile.Roles[?RoleName=='{layout.name}'].RoleName | [0]"
    return Step(
        id="profile-role",
        summary=f"instance profile {layout.name} holds role {layout.name}",
        resource=layout.iam_arn("instance-profile"),
        read_calls=(call("GetInstanceProfile", {"held": held}, InstanceProfileName=layout.name),),
        create_calls=(call("AddRoleToInstanceProfile", **both),),
        delete_calls=(call("RemoveRoleFromInstanceProfile", **both),),
        parent="instance-profile",
    )
