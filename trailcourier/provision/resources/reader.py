"""As whom the collector reads: a user in a group, or a role, with the least that it needs."""

from trailcourier.provision import documents, policies
from trailcourier.provision.layout import PATH, Layout
from trailcourier.provision.resources.key import arn
from trailcourier.provision.steps import MERGED, Fields, Known, Statements, Step, caller

_GONE = frozenset({"NoSuchEntity"})
_FOR = {
    "instance-profile": "an EC2 instance",
    "pod-identity": "a pod of EKS",
    "cross-account": "a collector of another account, which knows the external id,",
}


def _arn(layout: Layout, resource: str) -> str:
    return f"arn:{layout.partition}:iam::{layout.account}:{resource}"


def group(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    named = {"GroupName": layout.name}
    return Step(
        id="group",
        words=f"IAM group {layout.name} carries what a collector may do",
        resource=_arn(layout, f"group{PATH}{layout.name}"),
        look=(call("GetGroup", **named),),
        absent=_GONE,
        make=(call("CreateGroup", **named, Path=PATH),),
        undo=(call("DeleteGroup", **named),),
    )


def group_policy(layout: Layout) -> Step:
    return _policy(layout, "Group", _arn(layout, f"group{PATH}{layout.name}"))


def role_policy(layout: Layout) -> Step:
    return _policy(layout, "Role", layout.role_arn)


def _policy(layout: Layout, of: str, resource: str) -> Step:
    call = caller("iam", layout.region)
    statements = policies.reader(layout, arn(layout))
    named = {f"{of}Name": layout.name, "PolicyName": layout.name}
    document = documents.policy(statements)
    return Step(
        id=f"{of.lower()}-policy",
        words=f"the {of.lower()}'s policy lets it do what a collector needs ({layout.form})",
        resource=resource,
        look=(call(f"Get{of}Policy", **named),),
        want=Fields("PolicyDocument", {"Statement": document["Statement"]}),
        absent=_GONE,
        make=(call(f"Put{of}Policy", **named, PolicyDocument=document),),
        undo=(call(f"Delete{of}Policy", **named),),
        of=of.lower(),
    )


def user(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    named = {"UserName": layout.name}
    return Step(
        id="user",
        words=f"IAM user {layout.name} is the collector",
        resource=layout.user_arn,
        look=(call("GetUser", **named),),
        absent=_GONE,
        make=(call("CreateUser", **named, Tags=layout.tags),),
        undo=(call("DeleteUser", **named),),
    )


def membership(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    both = {"UserName": layout.name, "GroupName": layout.name}
    member = f"Groups[?GroupName=='{layout.name}'].GroupName | [0]"
    return Step(
        id="membership",
        words=f"user {layout.name} is in group {layout.name}",
        resource=_arn(layout, f"group{PATH}{layout.name}"),
        look=(
            call("ListGroupsForUser", {"member": member}, on=layout.user_arn, UserName=layout.name),
        ),
        absent=_GONE,
        make=(call("AddUserToGroup", **both),),
        undo=(call("RemoveUserFromGroup", **both),),
        of="user",
    )


def access_key(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    named = {"UserName": layout.name}
    held = {"access_key_id": "AccessKeyMetadata[0].AccessKeyId"}
    made = {
        "access_key_id": "AccessKey.AccessKeyId",
        "secret_access_key": "AccessKey.SecretAccessKey",
    }
    return Step(
        id="access-key",
        words=f"user {layout.name} has an access key, whose secret AWS tells once",
        resource=layout.user_arn,
        look=(call("ListAccessKeys", held, **named),),
        absent=_GONE,
        make=(call("CreateAccessKey", made, **named),),
        undo=(call("DeleteAccessKey", **named, AccessKeyId=Known("access_key_id")),),
        of="user",
        many=True,
    )


def role(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    named = {"RoleName": layout.name}
    statements = policies.trust(layout, Known("external_id"))
    create = {
        "AssumeRolePolicyDocument": documents.policy(statements),
        "Description": "Trailcourier reads CloudTrail log files as this role",
        "Tags": layout.tags,
    }
    return Step(
        id="role",
        words=f"{_FOR[layout.request.reader]} may take IAM role {layout.name}, the collector's",
        resource=layout.role_arn,
        look=(call("GetRole", **named),),
        want=Statements("Role.AssumeRolePolicyDocument", statements),
        absent=_GONE,
        make=(call("CreateRole", **named, **create),),
        mend=(call("UpdateAssumeRolePolicy", **named, PolicyDocument=MERGED),),
        undo=(call("DeleteRole", **named),),
    )


def profile(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    named = {"InstanceProfileName": layout.name}
    return Step(
        id="instance-profile",
        words=f"instance profile {layout.name} brings the role to an EC2 instance",
        resource=_arn(layout, f"instance-profile/{layout.name}"),
        look=(call("GetInstanceProfile", **named),),
        absent=_GONE,
        make=(call("CreateInstanceProfile", **named, Tags=layout.tags),),
        undo=(call("DeleteInstanceProfile", **named),),
    )


def profile_role(layout: Layout) -> Step:
    call = caller("iam", layout.region)
    both = {"InstanceProfileName": layout.name, "RoleName": layout.name}
    held = f"InstanceProfile.Roles[?RoleName=='{layout.name}'].RoleName | [0]"
    return Step(
        id="profile-role",
        words=f"the instance profile holds role {layout.name}",
        resource=_arn(layout, f"instance-profile/{layout.name}"),
        look=(call("GetInstanceProfile", {"held": held}, InstanceProfileName=layout.name),),
        absent=_GONE,
        make=(call("AddRoleToInstanceProfile", **both),),
        undo=(call("RemoveRoleFromInstanceProfile", **both),),
        of="instance-profile",
    )
