import json
import shlex

import pytest

from trailcourier.provision import Layout, SetupRequest
from trailcourier.provision.manual_steps import list_manual_steps

USER = "arn:aws:iam::111122223333:user/trailcourier"
TOPIC = "arn:aws:sns:eu-west-1:444455556666:aws-controltower-AllConfigNotifications"
TOWER = {
    "trail": False,
    "topic": TOPIC,
    "bucket": "aws-controltower-logs",
    "existing_bucket": True,
    "bucket_account": "555566667777",
    "kms_key": "arn:aws:kms:eu-west-1:555566667777:key/abc",
    "region": "eu-west-1",
}


def steps(**choices):
    return list_manual_steps(Layout(SetupRequest(account="111122223333", **choices)))


def test_no_manual_steps_where_everything_is_in_our_account():
    assert steps() == []


def test_control_tower_gives_exact_steps_to_the_accounts_of_topic_bucket_and_key():
    found = steps(**TOWER)

    owners = [each.who for each in found]
    assert owners == [
        f"account 444455556666, which owns topic {TOPIC}",
        f"account 444455556666, which owns topic {TOPIC}",
        "account 555566667777, which owns bucket aws-controltower-logs",
        "account 555566667777, which owns key arn:aws:kms:eu-west-1:555566667777:key/abc",
    ]
    (allow,), (subscribe,) = found[0].commands, found[1].commands
    assert allow == (
        f"aws sns add-permission --region eu-west-1 --topic-arn {TOPIC} "
        "--label trailcourier-subscribe --aws-account-id 111122223333 --action-name Subscribe"
    )
    assert subscribe == (
        f"aws sns subscribe --region eu-west-1 --topic-arn {TOPIC} --protocol sqs "
        "--notification-endpoint arn:aws:sqs:eu-west-1:111122223333:trailcourier "
        "--attributes RawMessageDelivery=false"
    )
    user = {"AWS": "arn:aws:iam::111122223333:user/trailcourier"}
    assert [each["Principal"] for each in found[2].statements] == [user, user]
    assert found[3].statements[-1]["Action"] == "kms:Decrypt"


def test_our_trail_with_their_topic_and_bucket_needs_statements_in_their_policies():
    ours = {name: value for name, value in TOWER.items() if name != "trail"}

    statements = [each for step in steps(**ours) for each in step.statements]

    actions = [each["Action"] for each in statements]
    assert {"sns:Publish", "s3:PutObject", "s3:GetBucketAcl"} <= {str(each) for each in actions}


@pytest.mark.parametrize(
    ("choices", "command"),
    [
        ({"reader": "instance-profile"}, "aws ec2 associate-iam-instance-profile"),
        ({"reader": "instance-profile"}, "--http-put-response-hop-limit 2"),
        ({"reader": "pod-identity"}, "aws eks create-pod-identity-association"),
    ],
)
def test_an_instance_or_a_pod_is_given_the_role(choices, command):
    text = "\n".join(line for each in steps(**choices) for line in each.lines())

    assert command in text


def test_a_collector_in_another_account_has_to_be_allowed_to_assume_the_role():
    (step,) = steps(reader="cross-account", principal="arn:aws:iam::444455556666:role/collector")

    assert step.statements[0]["Action"] == "sts:AssumeRole"
    assert step.statements[0]["Resource"] == "arn:aws:iam::111122223333:role/trailcourier"


def test_every_command_is_quoted_for_a_shell():
    for each in [*steps(**TOWER), *steps(reader="instance-profile")]:
        for command in each.commands:
            assert shlex.join(shlex.split(command)) == command


ROLE = "arn:aws:iam::555566667777:role/trailcourier-logs"
BY_ROLE = {
    "trail": False,
    "topic": "arn:aws:sns:us-east-1:111122223333:cloudtrail",
    "bucket": "their-logs",
    "existing_bucket": True,
    "bucket_account": "555566667777",
    "bucket_role": ROLE,
}
COLLECTOR = "arn:aws:iam::444455556666:role/collector"


@pytest.mark.parametrize(
    ("choices", "principal"),
    [
        ({}, "arn:aws:iam::111122223333:user/trailcourier"),
        ({"reader": "pod-identity"}, "arn:aws:iam::111122223333:role/trailcourier"),
        ({"reader": "cross-account", "principal": COLLECTOR}, COLLECTOR),
        ({"reader": "none"}, "arn:aws:iam::111122223333:root"),
    ],
    ids=["user", "pod", "cross-account", "none"],
)
def test_the_buckets_account_creates_the_role_that_the_collector_assumes(choices, principal):
    theirs = steps(**BY_ROLE, **choices)[0]

    create, put = (shlex.split(each) for each in theirs.commands)
    assert theirs.who == "account 555566667777, which owns bucket their-logs"
    assert create[:5] == ["aws", "iam", "create-role", "--role-name", "trailcourier-logs"]
    (trust,) = json.loads(create[-1])["Statement"]
    assert trust["Principal"] == {"AWS": principal}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "EXTERNAL_ID"}}
    assert "replace EXTERNAL_ID with the value that --external-id names" in theirs.why
    assert put[:5] == ["aws", "iam", "put-role-policy", "--role-name", "trailcourier-logs"]
    assert "s3:GetObject" in put[-1]
    assert "sqs:" not in put[-1]


def test_with_a_role_the_buckets_policy_only_lets_cloudtrail_write():
    theirs = [each for each in steps(**{**BY_ROLE, "trail": True}) if "bucket" in each.who]

    statements = [each for step in theirs for each in step.statements]
    assert {each["Principal"]["Service"] for each in statements} == {"cloudtrail.amazonaws.com"}


def test_a_collector_in_another_account_has_to_be_allowed_to_assume_both_roles():
    *_, last = steps(**BY_ROLE, reader="cross-account", principal=COLLECTOR)

    assert last.who == COLLECTOR
    (statement,) = last.statements
    assert statement["Resource"] == ["arn:aws:iam::111122223333:role/trailcourier", ROLE]


@pytest.mark.parametrize(
    ("encrypt", "readers"), [(("logs",), [ROLE]), (("logs", "queue"), [ROLE, USER])]
)
def test_the_keys_account_lets_every_reader_decrypt(encrypt, readers):
    key = "arn:aws:kms:us-east-1:555566667777:key/abc"

    *_, theirs = steps(**BY_ROLE, kms_key=key, encrypt=encrypt)

    readers_allowed = [
        each["Principal"]["AWS"] for each in theirs.statements if each["Action"] == "kms:Decrypt"
    ]
    assert readers_allowed == readers
