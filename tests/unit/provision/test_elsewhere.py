import json
import shlex

import pytest

from trailcourier.provision import Layout, Request
from trailcourier.provision.elsewhere import elsewhere

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
    return elsewhere(Layout(Request(account="111122223333", **choices)))


def test_nothing_is_left_to_others_where_all_is_ours():
    assert steps() == []


def test_control_tower_leaves_exact_steps_for_the_topics_the_buckets_and_the_keys_account():
    found = steps(**TOWER)

    whose = [each.who for each in found]
    assert whose == [
        f"account 444455556666, whose topic {TOPIC} is",
        f"account 444455556666, whose topic {TOPIC} is",
        "account 555566667777, whose bucket aws-controltower-logs is",
        "account 555566667777, whose key arn:aws:kms:eu-west-1:555566667777:key/abc is",
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


def test_a_trail_of_ours_into_their_topic_and_bucket_needs_their_policies():
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
def test_a_role_is_given_to_whoever_takes_it(choices, command):
    said = "\n".join(line for each in steps(**choices) for line in each.lines())

    assert command in said


def test_the_collector_of_another_account_has_to_be_let_take_the_role():
    (step,) = steps(reader="cross-account", principal="arn:aws:iam::444455556666:role/collector")

    assert step.statements[0]["Action"] == "sts:AssumeRole"
    assert step.statements[0]["Resource"] == "arn:aws:iam::111122223333:role/trailcourier"


def test_every_command_is_one_that_a_shell_reads_as_it_is_written():
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
    ("choices", "taker"),
    [
        ({}, "arn:aws:iam::111122223333:user/trailcourier"),
        ({"reader": "pod-identity"}, "arn:aws:iam::111122223333:role/trailcourier"),
        ({"reader": "cross-account", "principal": COLLECTOR}, COLLECTOR),
        ({"reader": "none"}, "arn:aws:iam::111122223333:root"),
    ],
    ids=["user", "pod", "cross-account", "none"],
)
def test_the_buckets_account_makes_the_role_that_the_collector_takes(choices, taker):
    theirs = steps(**BY_ROLE, **choices)[0]

    create, put = (shlex.split(each) for each in theirs.commands)
    assert theirs.who == "account 555566667777, whose bucket their-logs is"
    assert create[:5] == ["aws", "iam", "create-role", "--role-name", "trailcourier-logs"]
    (trust,) = json.loads(create[-1])["Statement"]
    assert trust["Principal"] == {"AWS": taker}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "EXTERNAL_ID"}}
    assert "EXTERNAL_ID stands for what --external-id names" in theirs.why
    assert put[:5] == ["aws", "iam", "put-role-policy", "--role-name", "trailcourier-logs"]
    assert "s3:GetObject" in put[-1]
    assert "sqs:" not in put[-1]


def test_with_a_role_the_buckets_policy_lets_cloudtrail_write_and_nobody_read():
    theirs = [each for each in steps(**{**BY_ROLE, "trail": True}) if "bucket" in each.who]

    statements = [each for step in theirs for each in step.statements]
    assert {each["Principal"]["Service"] for each in statements} == {"cloudtrail.amazonaws.com"}


def test_a_collector_elsewhere_has_to_be_let_take_both_roles():
    *_, last = steps(**BY_ROLE, reader="cross-account", principal=COLLECTOR)

    assert last.who == COLLECTOR
    (statement,) = last.statements
    assert statement["Resource"] == ["arn:aws:iam::111122223333:role/trailcourier", ROLE]


@pytest.mark.parametrize(
    ("encrypt", "readers"), [(("logs",), [ROLE]), (("logs", "queue"), [ROLE, USER])]
)
def test_the_keys_account_lets_those_decrypt_that_read(encrypt, readers):
    key = "arn:aws:kms:us-east-1:555566667777:key/abc"

    *_, theirs = steps(**BY_ROLE, kms_key=key, encrypt=encrypt)

    may = [
        each["Principal"]["AWS"] for each in theirs.statements if each["Action"] == "kms:Decrypt"
    ]
    assert may == readers
