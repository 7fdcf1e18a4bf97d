import json

import pytest
from botocore.exceptions import ClientError

from trailcourier.aws import calls
from trailcourier.aws.calls import AwsCall
from trailcourier.provision import SetupRequest, permissions, plan

STEPS = plan(SetupRequest(account="111122223333"))
QUEUE = AwsCall("sqs", "CreateQueue")


def denial(message, code="AccessDenied", call=QUEUE):
    error = ClientError({"Error": {"Code": code, "Message": message}}, call.operation)
    return calls.failure(call, error)


def test_actions_have_the_names_that_policies_use():
    assert QUEUE.action == "sqs:CreateQueue"
    assert AwsCall("s3", "HeadBucket").action == "s3:ListBucket"
    assert QUEUE.actions == ("sqs:CreateQueue", "sqs:TagQueue")


def test_required_permissions_are_listed_by_resource():
    needed = {each.resource: each.actions for each in permissions.required_permissions(STEPS)}

    trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/trailcourier"
    assert {"cloudtrail:CreateTrail", "cloudtrail:AddTags", "cloudtrail:StartLogging",
            "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail"} <= set(needed[trail])  # fmt: skip
    assert all(len(set(actions)) == len(actions) for actions in needed.values())


def test_an_organisation_trail_needs_the_service_linked_role():
    request = SetupRequest(account="111122223333", organization=True)
    needed = {
        each.resource: each.actions for each in permissions.required_permissions(plan(request))
    }

    role = "arn:aws:iam::*:role/aws-service-role/cloudtrail.amazonaws.com/*"
    assert "iam:CreateServiceLinkedRole" in needed[role]
    assert "organizations:DescribeOrganization" in needed["*"]
    assert not any("CreateServiceLinkedRole" in str(each.actions)
                   for each in permissions.required_permissions(STEPS))  # fmt: skip


def test_a_permission_names_the_resource_of_its_call():
    request = SetupRequest(account="111122223333", reader="instance-profile")
    needed = {
        each.resource: each.actions for each in permissions.required_permissions(plan(request))
    }

    arn = "arn:aws:iam::111122223333"
    assert "iam:PassRole" in needed[f"{arn}:role/trailcourier"]
    assert "iam:PassRole" not in needed[f"{arn}:instance-profile/trailcourier"]
    assert "sns:Unsubscribe" in needed["*"]
    user = {each.resource: each.actions for each in permissions.required_permissions(STEPS)}[
        f"{arn}:user/trailcourier"
    ]
    assert "iam:ListGroupsForUser" in user


@pytest.mark.parametrize(
    ("message", "who", "what", "where"),
    [
        pytest.param(
            "User: arn:aws:iam::111122223333:user/me is not authorized to perform: "
            "sqs:createqueue on resource: arn:aws:sqs:us-east-1:111122223333:q because no "
            "identity-based policy allows the sqs:createqueue action",
            "arn:aws:iam::111122223333:user/me",
            "sqs:CreateQueue",
            "arn:aws:sqs:us-east-1:111122223333:q",
            id="in-full",
        ),
        pytest.param(
            "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: "
            "sqs:TagQueue on resource: arn:aws:sqs:us-east-1:111122223333:q with an explicit deny",
            "arn:aws:sts::111122223333:assumed-role/r/s",
            "sqs:TagQueue",
            "arn:aws:sqs:us-east-1:111122223333:q",
            id="another-action",
        ),
        pytest.param("Access Denied", "whoever I am", "sqs:CreateQueue", "the-queue", id="bare"),
    ],
)
def test_a_denial_prefers_what_awss_message_names(message, who, what, where):
    denied = permissions.explain_denial(denial(message), "the-queue", "whoever I am")

    assert denied.statement == {"Effect": "Allow", "Action": what, "Resource": where}
    assert str(denied) == (
        f"AWS denied sqs:CreateQueue: {who} is not allowed {what} on {where}. Allow it with this "
        f"statement, then run this again: {json.dumps(denied.statement)}"
    )


def test_a_denied_bucket_may_belong_to_another_account():
    head = denial("Forbidden", "403", AwsCall("s3", "HeadBucket"))

    denied = permissions.explain_denial(head, "the-bucket", "me")

    assert "me is not allowed s3:ListBucket on the-bucket, or the bucket belongs to another" in str(
        denied
    )
