import json

import pytest
from botocore.exceptions import ClientError

from trailcourier.provision import Request, permissions, plan
from trailcourier.provision.steps import Call

STEPS = plan(Request(account="111122223333"))
QUEUE = Call(service="sqs", operation="CreateQueue")


def error(message, code="AccessDenied", operation="CreateQueue"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def test_actions_are_called_as_policies_call_them():
    assert permissions.action(QUEUE) == "sqs:CreateQueue"
    assert permissions.action(Call(service="s3", operation="HeadBucket")) == "s3:ListBucket"
    assert permissions.actions([QUEUE]) == ["sqs:CreateQueue", "sqs:TagQueue"]


def test_everything_that_a_set_up_needs_is_said_resource_by_resource():
    needed = {each.resource: each.actions for each in permissions.needed(STEPS)}

    trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/trailcourier"
    assert {"cloudtrail:CreateTrail", "cloudtrail:AddTags", "cloudtrail:StartLogging",
            "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail"} <= set(needed[trail])  # fmt: skip
    assert all(len(set(actions)) == len(actions) for actions in needed.values())


def test_a_permission_is_on_what_its_call_is_about():
    asked = Request(account="111122223333", reader="instance-profile")
    needed = {each.resource: each.actions for each in permissions.needed(plan(asked))}

    arn = "arn:aws:iam::111122223333"
    assert "iam:PassRole" in needed[f"{arn}:role/trailcourier"]
    assert "iam:PassRole" not in needed[f"{arn}:instance-profile/trailcourier"]
    assert "sns:Unsubscribe" in needed["*"]
    user = {each.resource: each.actions for each in permissions.needed(STEPS)}[
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
def test_a_denial_is_said_in_awss_words_where_it_has_any(message, who, what, where):
    denied = permissions.denied(error(message), QUEUE, "the-queue", "whoever I am")

    assert denied.statement == {"Effect": "Allow", "Action": what, "Resource": where}
    assert str(denied) == (
        f"AWS denied sqs:CreateQueue: {who} may not {what} on {where}. The statement that is "
        f"missing: {json.dumps(denied.statement)}"
    )


def test_a_bucket_that_may_not_be_seen_may_be_another_accounts():
    head = Call(service="s3", operation="HeadBucket")

    denied = permissions.denied(error("Forbidden", "403", "HeadBucket"), head, "the-bucket", "me")

    assert "me may not s3:ListBucket on the-bucket, or the bucket is another account's" in str(
        denied
    )
